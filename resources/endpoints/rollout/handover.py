"""Handing one endpoint over from the version that serves to the wanted one, or back.

What is the same wherever it runs; how it is reached there is said by the classes below this one.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.serving import Manifest
from mlops_assets.runtime.interrupts import uninterrupted
from resources.endpoints.client import EndpointClient
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.target import Release


class Handover(ABC):
    """Moves one endpoint; the caller holds its lock."""

    def __init__(self, folder: EndpointFolder) -> None:
        self._folder = folder

    def to(self, wanted: Manifest, release: Release) -> None:
        """Serve and verify `wanted`; or put back what served before, and raise why."""
        with self._put_back(wanted):
            wanted, client = self._serve(wanted, release.settings.rollout)
            client.check(release.servable, release.recorded, release.settings)
        with uninterrupted():  # what is confirmed also stays
            with self._put_back(wanted):
                release.confirm()
            self._keep(wanted)
        self._tidy()

    @contextmanager
    def _put_back(self, wanted: Manifest) -> Generator[None]:
        """Serve what was good again if the body raises, also when the run is canceled."""
        try:
            yield
        except BaseException as err:
            with uninterrupted():
                outcome = self._back(str(err))
            if not isinstance(err, DeploymentError):
                raise
            raise type(err)(
                f"{wanted.model_name} version {wanted.model_version} was not deployed: {err} "
                f"{outcome}"
            ) from err

    @abstractmethod
    def _serve(
        self, wanted: Manifest, settings: RolloutSettings
    ) -> tuple[Manifest, EndpointClient]:
        """Make it live, or raise; returns what is, and what asks it."""

    @abstractmethod
    def _back(self, reason: str) -> str:
        """Serve again what served before `reason`; says how that went."""

    def _keep(self, wanted: Manifest) -> None:
        """Remember it as what to go back to."""
        self._folder.mark_verified(wanted)

    def _tidy(self) -> None:
        """Drop what is not needed any more."""
        self._folder.prune()
