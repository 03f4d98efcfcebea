"""A project of one small model, served by a fake cluster, and the settings of its pods."""

from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster.clusters import CLAIM, IMAGE
from tests.support.runs.small_dagster import loans, write_loans
from tests.support.servers import free_port

MODEL = "loans"


def write_project(folder: Path, **deployment: Any) -> Path:
    """The project's folder; `deployment` adds to that block of the YAML."""
    write_loans(folder / "loans.csv", 400)
    port = free_port()
    settings = loans(folder / "loans.csv", port)
    del settings["schedule"]
    # Every version passes: what is tested is how runs end.
    gate = {"limits": {"roc_auc": {"min": 0.5}}, "against_champion": "off"}
    settings["evaluation"] = {"primary": "roc_auc", "gate": gate}
    settings["deployment"] = deployment | {
        "port": port,
        "target": "kubernetes",
        "cluster": {
            "image": IMAGE,
            "claim": CLAIM,
            "replicas": {"min": 1},
            "resources": {"memory": "2Gi"},
            "url": f"http://127.0.0.1:{port}",
        },
    }
    model = {"type": "mlops_assets.components.ModelPipeline", "attributes": settings}
    file = folder / "project/defs" / MODEL / "defs.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(model), encoding="utf-8")
    (folder / "project/mlops.yaml").touch()
    return folder / "project"


def tell_pods(cluster: Cluster, **settings: str) -> None:
    """Make the ConfigMap and the Secret that every pod of a run is given."""
    for plural, kind, name, part in (
        ("configmaps", "ConfigMap", "mlops-settings", {"data": settings}),
        ("secrets", "Secret", "mlops-secrets", {"stringData": {}}),
    ):
        one = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
        cluster.objects.create(plural, cluster.namespace, one | part)
