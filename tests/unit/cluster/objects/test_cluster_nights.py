"""`deploy/nights`: fewer pods by the clock, with the right to change one number of one object."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.errors import DeploymentError
from resources.cluster.api import ClusterApi
from resources.cluster.nights import set_least
from resources.cluster.objects import kubernetes_objects
from tests.kubernetes_api.objects import check_pod, check_schema
from tests.support.cluster.cluster_role import allowed_by
from tests.support.cluster.clusters import acting_as, fake_cluster
from tests.support.servers import ROOT
from tests.unit.cluster.objects.test_cluster_objects import plan

SHIPPED = list(yaml.safe_load_all((ROOT / "deploy/nights/nights.yaml").read_text("utf-8")))
JOBS = [one for one in SHIPPED if one["kind"] == "CronJob"]
(ROLE,) = (one for one in SHIPPED if one["kind"] == "Role")


def pod(job: dict[str, Any]) -> dict[str, Any]:
    return job["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def test_the_least_number_changes_and_nothing_else(tmp_path: Path) -> None:
    with fake_cluster(tmp_path, tmp_path / "cluster") as cluster:
        made = kubernetes_objects(plan(secrets={}, image_pull_secret=None))
        (scaler,) = (one for one in made if one["kind"] == "HorizontalPodAutoscaler")
        ClusterApi.connect("mlops").apply(scaler)
        assert cluster.server.allowed is not None
        cluster.server.allowed = {**cluster.server.allowed, "mlops-nights": allowed_by(ROLE)}
        with acting_as(cluster, "mlops-nights"):
            night = ClusterApi.connect("mlops")
            set_least(night, "a-model", 1)
            with pytest.raises(DeploymentError, match="no HorizontalPodAutoscaler 'other'"):
                set_least(night, "other", 1)
        found = cluster.objects.get("horizontalpodautoscalers", "mlops", "a-model")
        assert found is not None
        assert found["spec"] == scaler["spec"] | {"minReplicas": 1}
        assert cluster.server.asked_by["mlops-nights"] == allowed_by(ROLE)


def test_evening_and_morning_are_of_the_one_model_that_the_role_names() -> None:
    (rule,) = ROLE["rules"]
    commands = {job["metadata"]["name"]: pod(job)["containers"][0]["command"] for job in JOBS}
    assert {name: [*command[3:]] for name, command in commands.items()} == {
        "customers-evening": ["customers", "1"],
        "customers-morning": ["customers", "2"],
    }
    assert rule["resourceNames"] == ["customers"]
    assert all(
        command[:3] == ["python", "-m", set_least.__module__] for command in commands.values()
    )


@pytest.mark.parametrize("job", JOBS, ids=lambda one: one["metadata"]["name"])
def test_its_pods_pass_the_restricted_profile(job: dict[str, Any]) -> None:
    check_schema(job)
    spec = pod(job)
    check_pod(spec)
    assert spec["serviceAccountName"] == "mlops-nights"
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
