"""Endpoints wherever each model's YAML says: `deployment.target`.

Where a model is served is remembered in its folder, so that it is found whatever the YAML says by
now. Between this machine and a cluster it is moved by hand: stopped here, then deployed there.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import APPLIED_FILE
from mlops_assets.records.serving import (
    Endpoint,
    OnlineFeatures,
    RecordedRequest,
    Servable,
)
from resources.cluster.applied import read_applied
from resources.cluster.endpoints import KServe, KubernetesBentoML
from resources.cluster.kinds import Target
from resources.endpoints.client import FeatureRow
from resources.endpoints.deployer import EndpointDeployer, nothing
from resources.endpoints.local import LocalBentoML


class EndpointTargets(EndpointDeployer):
    """Passes each call on to the deployer of the model's target."""

    root: str = Field(description="Folder of the endpoints, one folder for each model.")
    shared: str = Field(description="Where the claim that pods mount is mounted here.")

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
        name = servable.model_name
        self._require_left(name, settings.target)
        endpoint = self._of(settings.target).deploy(
            servable, model_file, recorded, online, settings, confirm
        )
        self._enter(name, settings.target)
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
        self._require_left(name, settings.target)
        endpoint = self._of(settings.target).redeploy(name, version, settings, online, confirm)
        self._enter(name, settings.target)
        return endpoint

    def status(self, name: str) -> Endpoint | None:
        """See `EndpointDeployer.status`."""
        return self._of(self._where(name)).status(name)

    def predict(
        self, name: str, entities: Sequence[int | str], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        """See `EndpointDeployer.predict`."""
        return self._of(self._where(name)).predict(name, entities, logged=logged)

    def predict_features(self, name: str, rows: Sequence[FeatureRow]) -> list[dict[str, Any]]:
        """See `EndpointDeployer.predict_features`."""
        return self._of(self._where(name)).predict_features(name, rows)

    def stop(self, name: str) -> None:
        """See `EndpointDeployer.stop`."""
        self._of(self._where(name)).stop(name)

    def stopped(self, name: str) -> bool:
        """See `EndpointDeployer.stopped`."""
        return self._of(self._where(name)).stopped(name)

    def _where(self, name: str) -> Target | Literal["local"]:
        """Where the model was deployed last."""
        applied = read_applied(Path(self.root, name))
        return applied.target if applied else "local"

    def _of(self, target: Target | Literal["local"]) -> EndpointDeployer:
        if target == "local":
            return LocalBentoML(root=self.root)
        kind = KubernetesBentoML if target == "kubernetes" else KServe
        return kind(root=self.root, shared=self.shared)

    def _require_left(self, name: str, target: Target | Literal["local"]) -> None:
        """Check that the model is not served on the other side, where it would be left behind.

        Raises:
            DeploymentError: It is.
        """
        where = self._where(name)
        if (where == "local") == (target == "local") or self._of(where).status(name) is None:
            return
        raise DeploymentError(
            f"{name!r} is served by target {where} and shall move to {target}; end it first: "
            f"`mlops stop {name}`, then deploy"
        )

    def _enter(self, name: str, target: Target | Literal["local"]) -> None:
        if target == "local":
            Path(self.root, name, APPLIED_FILE).unlink(missing_ok=True)
