"""What any deployer does: bring endpoints to a version, and ask them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.records.serving import (
    Endpoint,
    OnlineFeatures,
    RecordedRequest,
    Servable,
)
from resources.endpoints.client import FeatureRow


def nothing() -> None:
    """For a caller that has nothing to confirm."""


class EndpointDeployer(dg.ConfigurableResource, ABC):
    """Brings endpoints to a version, and asks them."""

    @abstractmethod
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

        Changes nothing if exactly this is served already.

        Args:
            servable: The version.
            model_file: Its estimator.
            recorded: Requests, and what was answered to them offline.
            online: How workers read features.
            settings: Of the endpoint.
            confirm: Called once it is live and verified; raises if it must not stay.

        Raises:
            DeploymentError: It could not; the version that served before serves again, as after
                whatever `confirm` raised.
            PortInUseError: Somebody else listens on the port; nothing was changed.
        """

    @abstractmethod
    def redeploy(
        self,
        name: str,
        version: int,
        settings: DeploymentSettings,
        online: OnlineFeatures | None = None,
        confirm: Callable[[], None] = nothing,
    ) -> Endpoint:
        """Serve a version that was deployed before, from the files kept of it; all at once.

        Changes nothing if exactly this is served already.

        Args:
            name: Of the model.
            version: Of the model.
            settings: As for `deploy`.
            online: How workers read features from now on; default: as they do.
            confirm: As for `deploy`.

        Raises:
            DeploymentError: It never was deployed here, or as with `deploy`.
            PortInUseError: As with `deploy`.
        """

    @abstractmethod
    def status(self, name: str) -> Endpoint | None:
        """The live endpoint of a model; None if none answers."""

    @abstractmethod
    def predict(
        self, name: str, entities: Sequence[int | str], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        """Predict for entities; a check that is no traffic is not `logged`.

        Returns:
            In the order asked for, predictions, or an `error` for an entity without fresh features.

        Raises:
            DeploymentError: No endpoint answers, or it refuses, e.g. because all are unknown.
        """

    @abstractmethod
    def predict_features(self, name: str, rows: Sequence[FeatureRow]) -> list[dict[str, Any]]:
        """Predict for rows of features.

        Raises:
            DeploymentError: No endpoint answers, or it refuses, e.g. a missing feature.
        """

    @abstractmethod
    def stop(self, name: str) -> None:
        """End the endpoint; what it served stays known. Nothing happens if none runs."""

    @abstractmethod
    def stopped(self, name: str) -> bool:
        """Whether the endpoint was stopped on purpose and not deployed since."""
