"""A cluster to deploy to: the fake one, with this machine's code as its image."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from mlops_assets.blocks.cluster import ClusterSettings, PodResources, ReplicaSettings
from mlops_assets.blocks.operation import DeploymentSettings
from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster_role import shipped_accounts

ROOT = Path(__file__).resolve().parents[2]
IMAGE, CLAIM = "mlops:test", "state"
RUN = "mlops-run"


def image() -> dict[str, str]:
    """What an image of this code would set."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT), "LANG": os.environ.get("LANG", "C.UTF-8")}


@contextmanager
def fake_cluster(
    shared: Path, folder: Path, *, kserve: bool = True, nodes: int = 1
) -> Generator[Cluster]:
    """One whose claim is `shared`; while it is open, KUBECONFIG names it.

    Whoever asks by that may do what the shipped Roles allow a run, and nothing else; each pod, what
    they allow its account.
    """
    folder.mkdir()
    (folder / "mlops_assets").mkdir()  # of the image that holds nothing else
    (folder / "mlops_assets/__init__.py").touch()
    broken = image() | {"PYTHONPATH": str(folder)}
    images = {IMAGE: image(), "mlops:broken": broken}
    with (
        Cluster(
            folder,
            images,
            {CLAIM: shared},
            kserve=kserve,
            nodes=nodes,
            allowed=shipped_accounts(),
        ) as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("KUBECONFIG", str(cluster.kubeconfig(RUN)))
        patch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        yield cluster


def in_cluster(
    settings: DeploymentSettings,
    target: Literal["kubernetes", "kserve"],
    **cluster: object,
) -> DeploymentSettings:
    """The same settings for pods; a Service of the fake cluster listens on this machine."""
    url = f"http://127.0.0.1:{settings.port}" if target == "kubernetes" else None
    known = {
        "image": IMAGE,
        "claim": CLAIM,
        "replicas": ReplicaSettings(min=1),
        "resources": PodResources(memory="2Gi"),
        "url": url,
    }
    return settings.model_copy(
        update={"target": target, "cluster": ClusterSettings.model_validate(known | cluster)}
    )
