"""What the pods of a version counted in a step of a trial, asked of each pod itself.

The answers are judged by `mlops_assets.ml.evaluation.canary`.
"""

import contextlib
import time
from collections.abc import Callable, Mapping

from mlops_assets.errors import DeploymentError
from mlops_assets.records.rollout import Observed
from resources.cluster.api import ClusterApi, Object
from resources.cluster.objects import CONTAINER, KSERVE_CONTAINER
from resources.cluster.rollout import has_ended, is_ready
from resources.endpoints.client import EndpointClient

ANSWER_SECONDS = 5
"""Within which a pod that died is known not to be ready."""


class PodCounts:
    """Of one version; remembers what each pod said last, so that one that is gone is counted."""

    def __init__(
        self, api: ClusterApi, labels: Mapping[str, str], ask: Callable[[str], EndpointClient]
    ) -> None:
        """Ask each pod with the labels through the client that `ask` gives of its address."""
        self._api, self._labels, self._ask = api, labels, ask
        self._said: dict[tuple[int, str, int], Observed] = {}

    def begin(self, step: int) -> None:
        """Have every pod that is ready count from zero; raises where one cannot be asked.

        One that ends or starts again meanwhile is no longer ready, which is known a moment later.
        """
        ends = time.monotonic() + ANSWER_SECONDS
        for pod in filter(is_ready, self.pods()):
            while fault := self._fault(pod, step):
                if time.monotonic() > ends:
                    raise DeploymentError(
                        f"the pod {pod['metadata']['name']} does not say what it counts: {fault} A "
                        "trial is followed from where pods are reached: in the cluster"
                    ) from fault
                time.sleep(0.5)

    def counted(self, step: int) -> Observed:
        """What all of them did in the step."""
        for pod in self.pods():
            if is_ready(pod) or (step, *_run_of(pod)) in self._said:
                with contextlib.suppress(DeploymentError):  # it ends: what it said last, holds
                    self._take(pod, step)
        return sum((said for (of, *_), said in self._said.items() if of == step), Observed())

    def pods(self) -> list[Object]:
        """Those that have not ended."""
        return [pod for pod in self._api.labelled("Pod", self._labels) if not has_ended(pod)]

    def _fault(self, pod: Object, step: int) -> DeploymentError | None:
        """Why a pod cannot be asked; None of one that was, or that is not ready any more."""
        try:
            self._take(pod, step)
        except DeploymentError as err:
            ready = map(_run_of, filter(is_ready, self.pods()))
            return err if _run_of(pod) in ready else None
        return None

    def _take(self, pod: Object, step: int) -> None:
        self._said[step, *_run_of(pod)] = self._ask(_address(pod)).counted(step)


def _run_of(pod: Object) -> tuple[str, int]:
    """What began to count at zero: a container's process."""
    return pod["metadata"]["uid"], restarts(pod)


def restarts(pod: Object) -> int:
    """How often its process was started again."""
    containers = pod.get("status", {}).get("containerStatuses", [])
    return sum(one.get("restartCount", 0) for one in containers)


def _address(pod: Object) -> str:
    (ours,) = (
        one for one in pod["spec"]["containers"] if one["name"] in (CONTAINER, KSERVE_CONTAINER)
    )
    address = pod["status"]["podIP"]
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{ours['ports'][0]['containerPort']}"
