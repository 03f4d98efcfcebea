"""Deployment and schedules."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from mlops_assets.blocks.base import Duration, Settings
from mlops_assets.blocks.cluster import ClusterSettings
from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.blocks.rollout import RolloutSettings


def _spelled_network(text: str) -> str:
    """`10.0.0.7` or `10.0.0.0/8`, as it is compared with."""
    network = ip_network(text)  # says itself what is wrong
    return str(network if "/" in text else network.network_address)


_Host = Annotated[str, Field(pattern=r"^(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*)$", max_length=253)]
_Origin = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+$")]
_Network = Annotated[str, AfterValidator(_spelled_network)]
_Timeout = Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=1))]


class RateLimitSettings(Settings):
    """A token bucket for each API key, or for each address where there are no keys."""

    per_second: float = Field(gt=0, description="Requests on average, over all workers.")
    burst: int = Field(ge=1, description="Requests at once after a pause.")


class ApiKeySettings(Settings):
    """Who may ask: whoever holds one of the keys."""

    env: str = Field(
        pattern=r"^[A-Z_][A-Z0-9_]*$",
        description="Variable that holds the keys' SHA-256 digests, separated by commas, where "
        "the model is deployed from; `mlops api-key` makes a key.",
    )


class RequestLimits(Settings):
    """Whose requests a worker takes, and what it grants to them."""

    hosts: tuple[_Host, ...] = Field(
        (),
        description="Names under which it is asked, besides addresses, names without a dot and, in "
        "a cluster, its Service: `ml.example.com`, `*.example.com`, or `*` for any.",
    )
    origins: tuple[_Origin, ...] = Field(
        (), description="Web pages that may ask from a browser, e.g. `https://shop.example.com`."
    )
    proxies: tuple[_Network, ...] = Field(
        (), description="Addresses or networks of the proxies whose X-Forwarded-For is believed."
    )
    rate_limit: RateLimitSettings | None = None
    request_timeout: _Timeout = Field(
        timedelta(seconds=30), description="From the complete request to its answer; then 504."
    )
    body_timeout: _Timeout = Field(
        timedelta(seconds=10), description="For the request's body to arrive; then 408."
    )
    max_concurrent: int = Field(
        200, ge=1, description="Complete requests in a worker at the same time; beyond, 503."
    )


class DeploymentSettings(RequestLimits):
    """Where and how the model is served."""

    target: Literal["local", "kubernetes", "kserve"] = Field(
        "local",
        description="This machine, a Deployment of pods, or KServe's InferenceService.",
    )
    port: int = Field(ge=1024, le=65535)
    workers: int = Field(1, ge=1, le=64)
    automatic: bool = Field(True, description="The training job deploys what passed the gate.")
    max_rows: int = Field(1000, ge=1, description="Rows per request.")
    max_body_bytes: int = Field(1_000_000, ge=1_000)
    api_keys: ApiKeySettings | None = None
    rollout: RolloutSettings = RolloutSettings()
    log: LogSettings = LogSettings()
    cluster: ClusterSettings | None = Field(
        None, description="For `kubernetes` and `kserve`; not looked at for `local`."
    )

    @model_validator(mode="after")
    def _fit_the_target(self) -> Self:
        if self.target == "local":
            return self
        if self.cluster is None:
            raise ValueError(f"target {self.target} needs the block `deployment.cluster`")
        if self.workers != 1:
            raise ValueError(
                f"target {self.target} runs one worker in a pod, not workers: {self.workers}; "
                "set cluster.replicas instead"
            )
        self._require_gateway(self.cluster)
        if self.target == "kserve" and self.cluster.replicas.in_flight is not None:
            raise ValueError(
                "target kserve: the autoscaler that KServe makes goes by CPU, not by requests in "
                "flight; leave replicas.in_flight out, or take target kubernetes"
            )
        pods = self.cluster.replicas.most + (self.rollout.strategy == "canary")
        if self.rate_limit is not None and pods > 1:
            raise ValueError(
                f"target {self.target}: rate_limit is counted within one pod, and there are up to "
                f"{pods}; limit rates at the ingress, or set replicas.max: 1 and no canary"
            )
        return self

    def _require_gateway(self, cluster: ClusterSettings) -> None:
        """Only pods of one Service share requests without one, and nobody copies any."""
        if cluster.gateway is not None:
            return
        if self.rollout.strategy == "shadow":
            raise ValueError(
                f"target {self.target}: a shadow gets its copies of requests from a gateway; name "
                "it by cluster.gateway, or take a canary"
            )
        if self.rollout.strategy == "canary" and self.target == "kserve":
            raise ValueError(
                "target kserve: a canary gets its share of requests from a gateway; name it by "
                "cluster.gateway, or take target kubernetes, which shares by pods"
            )


class ScheduleSettings(Settings):
    """Cron expressions in UTC."""

    train: str | None = None
    score: str | None = Field(
        None, description="When to predict for every entity: `batch_predictions`."
    )
    monitor: str | None = Field(None, description="When to compact the prediction log and report.")

    @property
    def crons(self) -> dict[str, str]:
        """Kind of job -> its expression, of those that have one."""
        named = {"training": self.train, "scoring": self.score, "monitoring": self.monitor}
        return {job: cron for job, cron in named.items() if cron is not None}
