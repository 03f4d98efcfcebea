"""Where and how pods serve the model, for `deployment.target: kubernetes` and `kserve`."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from mlops_assets.blocks.base import Duration, Settings

_Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
_Named = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)]
_Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
_Variable = Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")]


class ComputeSettings(Settings):
    """What the pod of one step is granted, where each step is a pod (`MLOPS_EXECUTOR=k8s`)."""

    cpu: _Quantity | None = Field(None, description="Requested.")
    memory: _Quantity | None = Field(None, description="Requested and allowed.")
    gpu: int = Field(0, ge=0, description="`nvidia.com/gpu`.")
    node_selector: dict[str, str] = Field({}, description="Labels of the nodes to run on.")


class SecretKey(Settings):
    """One value of a Secret; the value itself stands nowhere here."""

    name: _Named
    key: str = Field(pattern=r"^[A-Za-z0-9._-]+$")


class ReplicaSettings(Settings):
    """How many pods answer."""

    min: int = Field(2, ge=1, description="With one, a lost node means no answers for a while.")
    max: int | None = Field(None, ge=1, description="Default: as `min`, so nothing scales.")
    cpu_percent: int = Field(
        70, ge=10, le=100, description="Of the requested CPU, which scaling aims at."
    )
    in_flight: float | None = Field(
        None,
        gt=0,
        description="Requests in flight in a pod on average, which scaling aims at instead; by the "
        "metric `model_requests_in_flight` of deploy/prometheus/adapter.yaml.",
    )

    @property
    def scales(self) -> bool:
        """Whether their number changes with the load."""
        return self.most > self.min

    @property
    def most(self) -> int:
        """The highest number."""
        return self.max or self.min

    @model_validator(mode="after")
    def _max_is_not_below_min(self) -> Self:
        if self.most < self.min:
            raise ValueError(f"replicas.max {self.max} is below replicas.min {self.min}")
        return self


class PodResources(Settings):
    """What a pod is granted."""

    cpu: _Quantity = Field("250m", description="Requested; more is used where it is free.")
    memory: _Quantity = Field("768Mi", description="Requested and allowed; beyond, it is killed.")
    cpu_limit: _Quantity | None = Field(
        None, description="Throttles beyond; default none, for the sake of latency."
    )


class GatewaySettings(Settings):
    """A Gateway of the Gateway API by which clients reach the endpoint; it shares out a canary."""

    name: _Label
    namespace: _Label | None = Field(None, description="Default: that of the endpoint.")
    listener: _Label | None = Field(None, description="Default: any that takes the route.")
    hosts: tuple[_Named, ...] = Field(
        (), description="Names under which clients ask; default: those of the listener."
    )


class ClusterSettings(Settings):
    """The cluster's names for what the endpoint needs, and its size."""

    namespace: _Label = "mlops"
    image: str = Field(
        min_length=1, description="With this code and its packages; `deploy/docker/Dockerfile`."
    )
    image_pull_secret: _Named | None = None
    claim: _Named = Field(
        max_length=63,  # of a label, by which its pods find each other
        description="PersistentVolumeClaim that holds the state, mounted where Dagster runs too.",
    )
    replicas: ReplicaSettings = ReplicaSettings()
    resources: PodResources = PodResources()
    secrets: dict[_Variable, SecretKey] = Field(
        {}, description="Variables of the pods, e.g. the online store's password."
    )
    node_selector: dict[str, str] = Field({}, description="Labels of the nodes to run on.")
    admit: tuple[_Label, ...] = Field(
        (), description="Namespaces whose pods may ask too, e.g. of the ingress and of Prometheus."
    )
    gateway: GatewaySettings | None = Field(
        None, description="By which clients ask; none: they ask the Service."
    )
    url: str | None = Field(
        None,
        pattern=r"^http://[^/]+$",
        description="Where the deployer reaches the endpoint; default: its name in the cluster.",
    )
    start_timeout: Duration = Field(
        timedelta(minutes=5), description="For all pods to serve a version, with pulling the image."
    )
    scheduling_timeout: Duration = Field(
        timedelta(minutes=1), description="For a node with room, e.g. until the cluster has grown."
    )
