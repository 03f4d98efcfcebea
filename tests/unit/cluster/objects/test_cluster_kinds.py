"""When the pods of a generation count as serving, and how many a Deployment is given."""

from pathlib import Path
from typing import Any

import pytest

from resources.cluster.api import ClusterApi, Object
from resources.cluster.applied import Applied
from resources.cluster.kinds import KINDS, DeploymentKind, InferenceServiceKind
from resources.cluster.objects import GENERATION, kubernetes_objects
from tests.support.cluster.clusters import fake_cluster
from tests.unit.cluster.objects.test_cluster_objects import plan

APPLIED = Applied.model_validate(
    {
        "target": "kserve",
        "namespace": "mlops",
        "url": "",
        "generation": 7,
        "replicas": 2,
        "start_timeout": "1s",
        "scheduling_timeout": "1s",
        "objects": [],
    }
)


class Knows(ClusterApi):
    """A cluster with one object."""

    def __init__(self, known: Object | None) -> None:
        super().__init__(None, "mlops")
        self._known = known

    def get(self, kind: str, name: str) -> Object | None:
        return self._known


def pod(generation: int, *, ready: bool = True) -> Object:
    conditions = [{"type": "Ready", "status": str(ready)}]
    labels = {GENERATION: str(generation)}
    return {"metadata": {"name": "a", "labels": labels}, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("pods", "served"),
    [
        ([pod(7), pod(7)], True),
        ([pod(7), pod(7), pod(7)], True),
        ([pod(7)], False),
        ([pod(7), pod(7), pod(6)], False),
        ([pod(7), pod(7, ready=False)], False),
        ([pod(6), pod(6)], False),
        ([], False),
    ],
)
def test_kserve_is_believed_when_its_pods_agree(pods: list[Object], served: bool) -> None:
    """Right after an update its condition still speaks of the pods before."""
    ready = Knows({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    unready = Knows({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    assert InferenceServiceKind().serves(ready, APPLIED, "toy", pods) is served
    assert not InferenceServiceKind().serves(unready, APPLIED, "toy", pods)
    assert not InferenceServiceKind().serves(Knows(None), APPLIED, "toy", pods)


def deployment(**status: int) -> Object:
    known = {"observedGeneration": 3, "updatedReplicas": 2, "availableReplicas": 2}
    spec, metadata = {"replicas": 2}, {"generation": 3}
    return {"metadata": metadata, "spec": spec, "status": known | status}


@pytest.mark.parametrize(
    ("found", "pods", "served"),
    [
        (deployment(), [pod(7), pod(7)], True),
        (deployment(), [pod(7), pod(6)], False),
        (deployment(observedGeneration=2), [pod(7), pod(7)], False),
        (deployment(updatedReplicas=1), [pod(7)], False),
        (deployment(availableReplicas=1), [pod(7), pod(7)], False),
        (deployment() | {"spec": {"replicas": 1}}, [pod(7)], False),
        (None, [], False),
    ],
)
def test_a_deployment_serves_when_all_its_pods_do(
    found: Object | None, pods: list[Object], served: bool
) -> None:
    assert DeploymentKind().serves(Knows(found), APPLIED, "toy", pods) is served


def test_a_deployment_does_not_take_away_what_the_autoscaler_has_added(tmp_path: Path) -> None:
    unnamed = {"secrets": {}, "image_pull_secret": None}  # which nobody is given

    def apply(**cluster: Any) -> int:
        api = ClusterApi.connect("mlops")
        for one in kubernetes_objects(plan(image="mlops:gone", **unnamed, **cluster)):
            KINDS["kubernetes"].apply(api, one, 2)
        found = api.get("Deployment", "a-model")
        return found["spec"]["replicas"] if found else 0

    with fake_cluster(tmp_path, tmp_path / "cluster") as cluster:
        assert apply() == 2
        live = cluster.objects.get("deployments", "mlops", "a-model")
        assert live is not None
        with cluster.objects.lock:
            live["spec"]["replicas"] = 4
        assert apply() == 4
        with cluster.objects.lock:
            live["spec"]["replicas"] = 1
        assert apply() == 2


class Scaled(ClusterApi):
    """A cluster with a Deployment of so many pods and an autoscaler of at most 5."""

    def __init__(self, replicas: int) -> None:
        super().__init__(None, "mlops")
        self.objects: dict[str, Object] = {
            "Deployment": deployment() | {"spec": {"replicas": replicas}},
            "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 5}},
        }

    def get(self, kind: str, name: str) -> Object | None:
        return self.objects.get(kind)

    def apply(self, wanted: Object) -> Object:
        return self.objects.setdefault("applied", wanted)


@pytest.mark.parametrize(("there", "asked"), [(1, 2), (4, 4), (9, 5)])
def test_pods_are_asked_for_up_to_the_maximum_of_the_autoscaler(there: int, asked: int) -> None:
    """Pods that somebody added beyond it would all be started anew, and then taken away."""
    api = Scaled(there)
    wanted = {"kind": "Deployment", "metadata": {"name": "toy"}, "spec": {}}
    DeploymentKind().apply(api, wanted, 2)
    assert api.objects["applied"]["spec"]["replicas"] == asked
