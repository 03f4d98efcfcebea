"""What any deployer does: bring endpoints to a version, and ask them.

Each verb is written once here, over the endpoint's folder and a client; where the endpoint runs is
the affair of its `Target`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import DEPLOY_LOCK, STOPPED_FILE
from mlops_assets.records.serving import (
    Endpoint,
    Manifest,
    OnlineFeatures,
    RecordedRequest,
    Servable,
)
from mlops_assets.runtime.atomic import exclusive
from resources.endpoints.client import EndpointClient, FeatureRow
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.target import Release, Target


def nothing() -> None:
    """For a caller that has nothing to confirm."""


class EndpointDeployer(dg.ConfigurableResource, ABC):
    """Brings endpoints to a version, and asks them."""

    root: str = Field(description="Folder of the endpoints, one folder for each model.")

    def deploy(
        self,
        servable: Servable,
        model_file: Path,
        recorded: Sequence[RecordedRequest],
        online: OnlineFeatures,
        settings: DeploymentSettings,
        confirm: Callable[[], None] = nothing,
    ) -> Endpoint:
        """Serve a version; returns when the live endpoint repeated every recorded request.

        Changes nothing if exactly this is served already. Workers read features `online`; `confirm`
        is called once the version is live and verified, and raises if it must not stay.

        Raises:
            DeploymentError: It could not; the version that served before serves again, as after
                whatever `confirm` raised.
            PortInUseError: Somebody else listens on the port; nothing was changed.
        """
        folder = self._folder(servable.model_name)
        target = self._next_target(folder, settings)
        with exclusive(folder.path / DEPLOY_LOCK):
            release = Release(servable, model_file, recorded, online, settings, confirm)
            return target.deploy(release)

    def redeploy(
        self,
        name: str,
        version: int,
        settings: DeploymentSettings,
        online: OnlineFeatures | None = None,
        confirm: Callable[[], None] = nothing,
    ) -> Endpoint:
        """Serve a version that was deployed before, from the files kept of it; all at once.

        Workers read features by `online` from now on, by default as they do; all else is as with
        `deploy`. A version that was never deployed here is refused.
        """
        folder = self._folder(name)
        servable, model_file, recorded = folder.kept(version)
        at_once = settings.model_copy(update={"rollout": RolloutSettings()})
        read = online or folder.online(servable)
        return self.deploy(servable, model_file, recorded, read, at_once, confirm)

    def status(self, name: str) -> Endpoint | None:
        """The live endpoint of a model; None if none answers."""
        return self._target(self._folder(name)).endpoint()

    def predict(
        self, name: str, entities: Sequence[int | str], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        """Predict for entities, as `EndpointClient.predict`."""
        return self._client(name).predict(entities, logged=logged)

    def predict_features(
        self, name: str, rows: Sequence[FeatureRow], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        """Predict for rows of features, as `EndpointClient.predict_features`."""
        return self._client(name).predict_features(rows, logged=logged)

    def kept(self, name: str, version: int) -> tuple[Servable, Path, list[RecordedRequest]]:
        """The files of a version that was deployed here, as `EndpointFolder.kept`."""
        return self._folder(name).kept(version)

    def sample(self, name: str, version: int) -> FeatureRow:
        """Features to ask a deployed version for: of the newest row at that time."""
        _, _, recorded = self.kept(name, version)
        return recorded[-1].features

    def verified(self, name: str) -> Manifest:
        """The manifest that passed every check last; `DeploymentError` if none ever did."""
        manifest = self._folder(name).verified()
        if manifest is None:
            raise DeploymentError(f"no version of {name!r} is deployed; run `mlops run {name}`")
        return manifest

    def stop(self, name: str) -> None:
        """End the endpoint; what it served stays known. Nothing happens if none runs."""
        folder = self._folder(name)
        if not folder.path.exists():
            return
        with exclusive(folder.path / DEPLOY_LOCK):
            self._target(folder).end()
            (folder.path / STOPPED_FILE).touch()

    def stopped(self, name: str) -> bool:
        """Whether the endpoint was stopped on purpose and not deployed since."""
        return (self._folder(name).path / STOPPED_FILE).exists()

    def abandoned_trial(self, name: str) -> bool:
        """Whether the process that judged a candidate is gone, and the candidate is still there."""
        return self._target(self._folder(name)).abandoned_trial()

    @abstractmethod
    def _target(self, folder: EndpointFolder) -> Target:
        """Where the model was deployed last."""

    @abstractmethod
    def _next_target(self, folder: EndpointFolder, settings: DeploymentSettings) -> Target:
        """Where the settings want it; raises if it is served elsewhere and would be left behind."""

    def _folder(self, name: str) -> EndpointFolder:
        return EndpointFolder(Path(self.root, name).resolve())

    def _client(self, name: str) -> EndpointClient:
        target = self._target(self._folder(name))
        if (url := target.url()) is None:
            raise DeploymentError(
                f"no endpoint of {name!r} runs; materialize {name}/deployed_endpoint"
            )
        return target.client(url)
