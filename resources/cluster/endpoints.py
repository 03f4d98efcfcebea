"""Endpoints as pods of a cluster: by a Deployment, or by KServe's InferenceService.

The claim that holds the state is mounted where Dagster runs and, in the parts that a version needs
and at the same paths, in its pods. A generation's manifest never changes, so a rollout is one of
pods; a version counts as deployed when all of them serve it and the live Service repeated the
recorded requests. Anything else applies again what was applied before.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from mlops_assets.blocks.cluster import ClusterSettings
from mlops_assets.blocks.data import EntitySettings
from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import ConfigError, DeploymentError
from mlops_assets.records.files import DEPLOY_LOCK, STOPPED_FILE
from mlops_assets.records.serving import (
    Endpoint,
    Manifest,
    OnlineFeatures,
    RecordedRequest,
    Servable,
)
from mlops_assets.runtime.atomic import exclusive
from resources.cluster.api import ClusterApi
from resources.cluster.applied import Applied, generation_file, read_applied
from resources.cluster.kinds import KINDS, Target
from resources.cluster.move import Move
from resources.cluster.objects import Plan, service_hosts
from resources.cluster.storage import mounts_of, shared_on_one_node
from resources.endpoints.api_keys import operator_key
from resources.endpoints.client import EndpointClient, FeatureRow
from resources.endpoints.deployer import EndpointDeployer, nothing
from resources.endpoints.folder import EndpointFolder

_ANSWER_SECONDS = 10.0


class ClusterEndpoints(EndpointDeployer):
    """What both kinds of endpoints in a cluster have in common."""

    root: str = Field(description="Folder of the endpoints, on the claim that the pods mount.")
    shared: str = Field(description="Where that claim is mounted here.")

    @property
    @abstractmethod
    def target(self) -> Target:
        """As in the YAML."""

    def deploy(
        self,
        servable: Servable,
        model_file: Path,
        recorded: Sequence[RecordedRequest],
        online: OnlineFeatures,
        settings: DeploymentSettings,
        confirm: Callable[[], None] = nothing,
    ) -> Endpoint:
        """See `EndpointDeployer.deploy`."""
        folder, cluster = self._folder(servable.model_name), _cluster(settings)
        shared = Path(self.shared).resolve()
        mounts = mounts_of(folder.path, shared, online)
        api = ClusterApi.connect(cluster.namespace)
        one_node = shared_on_one_node(api, cluster.claim, online)
        with exclusive(folder.path / DEPLOY_LOCK):
            version = folder.stage(servable, model_file, recorded)
            hosts = (*settings.hosts, *service_hosts(servable.model_name, cluster))
            named = settings.model_copy(update={"hosts": hosts})
            wanted = folder.wanted(servable, version, online, named)
            was_stopped = self.stopped(servable.model_name)  # what still answers, is about to end
            (folder.path / STOPPED_FILE).unlink(missing_ok=True)
            file = generation_file(folder.path, wanted.generation)
            plan = Plan(
                servable.model_name,
                wanted.generation,
                file,
                mounts,
                shared,
                settings,
                cluster,
                one_node=one_node,
            )
            if not was_stopped and self._serves(folder, wanted, plan):
                confirm()
            else:
                ask = partial(self._client_of, name=servable.model_name)
                move = Move(self.target, api.patient(), folder, plan, ask)
                move.to(wanted, servable, recorded, confirm)
        endpoint = self.status(servable.model_name)
        if endpoint is None:
            raise DeploymentError(
                f"the endpoint of {servable.model_name!r} passed its checks and then fell silent; "
                "deploy again"
            )
        return endpoint

    def redeploy(
        self,
        name: str,
        version: int,
        settings: DeploymentSettings,
        online: OnlineFeatures | None = None,
        confirm: Callable[[], None] = nothing,
    ) -> Endpoint:
        """See `EndpointDeployer.redeploy`."""
        folder = self._folder(name)
        servable, model_file, recorded = folder.kept(version)
        read = online or folder.online(servable)
        return self.deploy(servable, model_file, recorded, read, settings, confirm)

    def status(self, name: str) -> Endpoint | None:
        """See `EndpointDeployer.status`; its workers are the pods that are wanted."""
        applied = read_applied(self._folder(name).path)
        if applied is None or self.stopped(name):
            return None
        served = self._served(applied, name)
        if served is None:
            return None
        return Endpoint(
            url=applied.url,
            model_name=served["model_name"],
            model_version=served["model_version"],
            generation=served["generation"],
            workers=applied.replicas,
            entity=EntitySettings.model_validate(served["entity"]),
            fallback=served.get("fallback"),
        )

    def predict(
        self, name: str, entities: Sequence[int | str], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        """See `EndpointDeployer.predict`."""
        return self._client(name).predict(entities, logged=logged)

    def predict_features(self, name: str, rows: Sequence[FeatureRow]) -> list[dict[str, Any]]:
        """See `EndpointDeployer.predict_features`."""
        return self._client(name).predict_features(rows)

    def stop(self, name: str) -> None:
        """See `EndpointDeployer.stop`; its pods end by themselves, after what they answer."""
        folder = self._folder(name)
        applied = read_applied(folder.path)
        if applied is None:
            return
        with exclusive(folder.path / DEPLOY_LOCK):
            api = ClusterApi.connect(applied.namespace).patient()
            for kind, object_name in reversed(applied.keys):
                api.delete(kind, object_name)
            (folder.path / STOPPED_FILE).touch()

    def stopped(self, name: str) -> bool:
        """See `EndpointDeployer.stopped`."""
        return (self._folder(name).path / STOPPED_FILE).exists()

    def _client_of(self, url: str, name: str, seconds: float = 30.0) -> EndpointClient:
        """Ask an endpoint as its deployer."""
        return EndpointClient(url, seconds, key=operator_key(self._folder(name).path))

    def _client(self, name: str) -> EndpointClient:
        applied = read_applied(self._folder(name).path)
        if applied is None or self.stopped(name):
            raise DeploymentError(
                f"no endpoint of {name!r} runs; materialize {name}/deployed_endpoint"
            )
        return self._client_of(applied.url, name)

    def _served(self, applied: Applied, name: str) -> dict[str, Any] | None:
        try:
            return self._client_of(applied.url, name, _ANSWER_SECONDS).model()
        except DeploymentError:
            return None

    def _serves(self, folder: EndpointFolder, wanted: Manifest, plan: Plan) -> bool:
        """Whether what runs is what is wanted, and passed its checks."""
        good, applied = folder.verified(), read_applied(folder.path)
        if good is None or applied is None or applied.target != self.target:
            return False
        numbers = {"generation": wanted.generation, "previous": wanted.previous}
        if good.model_copy(update=numbers) != wanted:
            return False
        file = generation_file(folder.path, good.generation)
        stands = replace(plan, generation=good.generation, manifest_file=file)
        if KINDS[self.target].objects(stands) != applied.objects:
            return False
        served = self._served(applied, plan.model)
        return served is not None and served["generation"] == good.generation

    def _folder(self, name: str) -> EndpointFolder:
        return EndpointFolder(Path(self.root, name).resolve())


class KubernetesBentoML(ClusterEndpoints):
    """BentoML in the pods of a Deployment, behind a Service."""

    @property
    def target(self) -> Target:
        """See `ClusterEndpoints.target`."""
        return "kubernetes"


class KServe(ClusterEndpoints):
    """BentoML as the custom predictor of an InferenceService."""

    @property
    def target(self) -> Target:
        """See `ClusterEndpoints.target`."""
        return "kserve"


def _cluster(settings: DeploymentSettings) -> ClusterSettings:
    if settings.cluster is None:
        raise ConfigError(f"target {settings.target} needs the block `deployment.cluster`")
    return settings.cluster
