"""Where one endpoint runs, as far as its deployer must know: deploy to it, ask it, end it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import STOPPED_FILE
from mlops_assets.records.serving import (
    Endpoint,
    Manifest,
    OnlineFeatures,
    RecordedRequest,
    Servable,
)
from resources.endpoints.api_keys import operator_key
from resources.endpoints.client import EndpointClient
from resources.endpoints.folder import EndpointFolder

_ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Release:
    """A version on its way to its endpoint; the fields are the arguments of `deploy`."""

    servable: Servable
    model_file: Path
    recorded: Sequence[RecordedRequest]
    online: OnlineFeatures
    settings: DeploymentSettings
    confirm: Callable[[], None]


class Target(ABC):
    """Where the endpoint of one folder runs."""

    def __init__(self, folder: EndpointFolder) -> None:
        self._folder = folder

    @abstractmethod
    def url(self) -> str | None:
        """The address of what runs there; None if nothing does."""

    @abstractmethod
    def workers(self) -> int:
        """How many processes or pods answer at that address."""

    @abstractmethod
    def deploy(self, release: Release) -> Endpoint:
        """As `EndpointDeployer.deploy`; the caller holds the endpoint's lock."""

    @abstractmethod
    def end(self) -> None:
        """End what runs there; the caller holds the endpoint's lock."""

    def abandoned_trial(self) -> bool:
        """Whether a candidate is left that nobody judges, and that does not end by itself."""
        return False

    def client(self, url: str, timeout_seconds: float = 30.0) -> EndpointClient:
        """What asks that address as the endpoint's deployer."""
        return EndpointClient(url, timeout_seconds, key=operator_key(self._folder.path))

    def endpoint(self) -> Endpoint | None:
        """What the endpoint says of itself; None if none answers."""
        url = self.url()
        served = self._served(url)
        if url is None or served is None:
            return None
        said = {name: served.get(name) for name in Endpoint.model_fields}
        unlogged = served.get("prediction_log", {}).get("error")
        here = {"url": url, "workers": self.workers(), "unlogged": unlogged}
        return Endpoint.model_validate(said | here)

    def _served(self, url: str | None) -> dict[str, Any] | None:
        """What the server there says it serves; None if it serves nothing or does not answer."""
        try:
            return self.client(url, _ANSWER_SECONDS).model() if url else None
        except DeploymentError:
            return None

    def _stage(self, release: Release) -> Manifest:
        """Put the files of a version in place; returns what its workers shall serve."""
        version = self._folder.stage(release.servable, release.model_file, release.recorded)
        wanted = self._folder.wanted(release.servable, version, release.online, release.settings)
        (self._folder.path / STOPPED_FILE).unlink(missing_ok=True)
        return wanted

    def _verified_as(self, wanted: Manifest) -> Manifest | None:
        """What passed its checks last, if it differs from `wanted` in its numbers at most."""
        good = self._folder.verified()
        numbers = {"generation": wanted.generation, "previous": wanted.previous}
        return good if good and good.model_copy(update=numbers) == wanted else None
