"""The two ways to run pods: a Deployment of ours, or KServe's InferenceService."""

from abc import ABC, abstractmethod
from typing import Literal

from resources.cluster.api import ClusterApi, Object
from resources.cluster.applied import Applied
from resources.cluster.objects import Plan, kserve_objects, kubernetes_objects, with_replicas
from resources.cluster.rollout import Trouble, condition, is_ready, serves, trouble_of_deployment
from resources.cluster.routes import Backend, http_route

KindName = Literal["kubernetes", "kserve"]


class Kind(ABC):
    """What differs between them; all methods speak of the objects of one endpoint."""

    late = "allow more by deployment.cluster.start_timeout."
    """What to do where nothing is wrong but the time."""

    def objects(self, plan: Plan) -> list[Object]:
        """What the cluster must hold for a generation; the way in is its who serves."""
        routed = plan.cluster.gateway is not None and plan.role == "primary"
        return [*self._pods(plan), *([http_route(plan, self.backend(plan))] if routed else [])]

    @abstractmethod
    def _pods(self, plan: Plan) -> list[Object]:
        """The pods, and what finds, guards and scales them."""

    @abstractmethod
    def backend(self, plan: Plan, share: float = 1.0) -> Backend:
        """Where a gateway finds the pods."""

    def apply(self, api: ClusterApi, wanted: Object, least: int) -> None:
        """Bring one object there; of what scales, at `least` so many."""
        api.apply(wanted)

    @abstractmethod
    def serves(self, api: ClusterApi, applied: Applied, name: str, pods: list[Object]) -> bool:
        """Whether enough pods of the applied generation, and none of another, are ready."""

    def trouble(self, api: ClusterApi, name: str) -> Trouble | None:
        """Why they will not be, if that is no single pod's fault and will not pass."""
        return None

    @abstractmethod
    def url(self, api: ClusterApi, plan: Plan) -> str:
        """Where it is reached, once pods are ready."""


class DeploymentKind(Kind):
    """Deployment, Service and, where it scales, a HorizontalPodAutoscaler."""

    def _pods(self, plan: Plan) -> list[Object]:
        """See `Kind._pods`."""
        return kubernetes_objects(plan)

    def backend(self, plan: Plan, share: float = 1.0) -> Backend:
        """See `Kind.backend`."""
        return Backend(plan.name, plan.settings.port, share)

    def apply(self, api: ClusterApi, wanted: Object, least: int) -> None:
        """See `Kind.apply`: what the autoscaler has grown it to, stays."""
        if wanted["kind"] == "Deployment":
            live = api.get("Deployment", wanted["metadata"]["name"])
            scaled = api.get("HorizontalPodAutoscaler", wanted["metadata"]["name"])
            grown = live["spec"].get("replicas", 1) if live and scaled else 0
            most = scaled["spec"]["maxReplicas"] if scaled else least
            wanted = with_replicas(wanted, max(least, min(grown, most)))
        api.apply(wanted)

    def serves(self, api: ClusterApi, applied: Applied, name: str, pods: list[Object]) -> bool:
        """See `Kind.serves`."""
        deployment = api.get("Deployment", name)
        if deployment is None or not all(serves(pod, applied.generation) for pod in pods):
            return False
        status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
        if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
            return False
        counts = [status.get(f"{what}Replicas", 0) for what in ("updated", "available")]
        return wanted >= applied.replicas and counts == [wanted, wanted]

    def trouble(self, api: ClusterApi, name: str) -> Trouble | None:
        """See `Kind.trouble`."""
        return trouble_of_deployment(api.get("Deployment", name))

    def url(self, api: ClusterApi, plan: Plan) -> str:
        """See `Kind.url`: by the Service's name, or as the settings say."""
        inside = f"http://{plan.name}.{api.namespace}.svc:{plan.settings.port}"
        return plan.cluster.url or inside


class InferenceServiceKind(Kind):
    """An InferenceService in KServe's Standard mode; what it says, it says of what may change."""

    late = (
        "does KServe's controller run in this cluster? `kubectl describe inferenceservice` says "
        "what it made of it; else allow more by deployment.cluster.start_timeout."
    )

    def _pods(self, plan: Plan) -> list[Object]:
        """See `Kind._pods`."""
        return kserve_objects(plan)

    def backend(self, plan: Plan, share: float = 1.0) -> Backend:
        """See `Kind.backend`: the Service that KServe makes.

        Not `spec.canary` of KServe 0.20: it refuses containers of one's own, as read in its source.
        """
        return Backend(f"{plan.name}-predictor", 80, share)

    def serves(self, api: ClusterApi, applied: Applied, name: str, pods: list[Object]) -> bool:
        """See `Kind.serves`.

        By the pods, since KServe's `observedGeneration` is that of the Deployment it made.
        """
        service = api.get("InferenceService", name)
        ready = (condition(service or {}, "Ready") or {}).get("status") == "True"
        good = [serves(pod, applied.generation) and is_ready(pod) for pod in pods]
        return ready and len(good) >= applied.replicas and all(good)

    def url(self, api: ClusterApi, plan: Plan) -> str:
        """See `Kind.url`: as KServe says, unless the settings do."""
        service = api.get("InferenceService", plan.name) or {}
        status = service.get("status", {})
        return plan.cluster.url or status.get("address", {}).get("url") or status["url"]


KINDS: dict[KindName, Kind] = {"kubernetes": DeploymentKind(), "kserve": InferenceServiceKind()}
