"""A cluster to deploy to: the fake one, with this machine's code as its image."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
import yaml

from mlops_assets.blocks.cluster import (
    ClusterSettings,
    GatewaySettings,
    PodResources,
    ReplicaSettings,
)
from mlops_assets.blocks.operation import DeploymentSettings
from tests.kubernetes_api.cluster import Cluster
from tests.support.cluster.cluster_role import shipped_accounts, shipped_admission

ROOT = Path(__file__).resolve().parents[3]
IMAGE, CLAIM = "mlops:test", "state"
RUN = "mlops-run"


def image() -> dict[str, str]:
    """What an image of this code would set."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    code = f"{ROOT / 'tests/support/cluster/image'}{os.pathsep}{ROOT}"
    return {"PATH": path, "PYTHONPATH": code, "LANG": os.environ.get("LANG", "C.UTF-8")}


@contextmanager
def fake_cluster(
    shared: Path, folder: Path, *, kserve: bool = True, nodes: int = 1
) -> Generator[Cluster]:
    """One whose claim is `shared`; while it is open, KUBECONFIG names it.

    Whoever asks by that may do what the shipped Roles and the policy allow a run, and nothing else;
    each pod, what they allow its account.
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
            admission=shipped_admission(),
        ) as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("KUBECONFIG", str(cluster.kubeconfig(RUN)))
        patch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        yield cluster


@contextmanager
def acting_as(cluster: Cluster, account: str) -> Generator[None]:
    """What this process asks of the cluster, it asks as that account."""
    folder = cluster.folder / account
    folder.mkdir(exist_ok=True)
    written = cluster.kubeconfig(account, folder).rename(folder / "kubeconfig.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("KUBECONFIG", str(written))
        yield


def shipped_instance(cluster: Cluster, **variables: str) -> Path:
    """The shipped launcher; but the instance is a folder, and its pods are told where it is."""
    shipped = yaml.safe_load((ROOT / "deploy/kubernetes/dagster.yaml").read_text(encoding="utf-8"))
    launcher = shipped["run_launcher"]
    quick = {"start_timeout_seconds": 10, "poll_interval_seconds": 1}
    queue = shipped["run_coordinator"] | {"config": {"dequeue_interval_seconds": 1}}
    launcher["config"] |= {
        "job_image": IMAGE,
        "load_incluster_config": False,
        "kubeconfig_file": "kubeconfig.yaml",  # of the working directory, as pods have it
        "dagster_home": str(cluster.folder),
        "env_vars": [f"{name}={value}" for name, value in variables.items()],
        "volumes": [],
        "volume_mounts": [],
    }
    content = {name: shipped[name] for name in ("concurrency", "run_retries")} | {
        "run_coordinator": queue,
        "run_launcher": launcher,
        "run_monitoring": shipped["run_monitoring"] | quick,
        "telemetry": {"enabled": False},
    }
    (cluster.folder / "dagster.yaml").write_text(yaml.safe_dump(content))
    return cluster.folder


def by_gateway(cluster: Cluster) -> tuple[GatewaySettings, str]:
    """A Gateway of another namespace, which admits the endpoints', and where clients ask it."""
    gateway = cluster.gateways.add("public", "gateways", (cluster.namespace,))
    return GatewaySettings(name=gateway.name, namespace=gateway.namespace), gateway.url


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
