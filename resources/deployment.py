"""Deployed endpoints: one model behind HTTP, moved from version to version without a gap.

`EndpointDeployer` is what the assets know; `LocalBentoML` runs BentoML on this machine. A version
counts as deployed only after every worker loaded it and the live server repeated the recorded
requests; anything else puts the last good version back.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.atomic import exclusive
from mlops_assets.blocks.data import EntitySettings
from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.serving import (
    Endpoint,
    Manifest,
    OnlineFeatures,
    RecordedRequest,
    Servable,
)
from resources.api_keys import operator_key
from resources.endpoint_client import EndpointClient, FeatureRow
from resources.endpoint_folder import EndpointFolder
from resources.endpoint_process import EndpointProcess, Launch, require_free

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 2.0
_ANSWER_SECONDS = 10.0
_LOG_TAIL_BYTES = 2000


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
    ) -> Endpoint:
        """Serve a version; returns when the live endpoint repeated every recorded request.

        Does nothing if exactly this is served already.

        Raises:
            DeploymentError: It could not; the version that served before serves again.
            PortInUseError: Somebody else listens on the port; nothing was changed.
        """

    @abstractmethod
    def redeploy(self, name: str, version: int, settings: DeploymentSettings) -> Endpoint:
        """Serve a version that was deployed before, from the files kept of it.

        Does nothing if exactly this is served already.

        Raises:
            DeploymentError: It never was deployed here, or as with `deploy`.
            PortInUseError: As with `deploy`.
        """

    @abstractmethod
    def status(self, name: str) -> Endpoint | None:
        """The live endpoint of a model; None if none answers."""

    @abstractmethod
    def predict(self, name: str, entities: Sequence[int | str]) -> list[dict[str, Any]]:
        """Predict for entities.

        Raises:
            DeploymentError: No endpoint answers, or it refuses, e.g. an unknown entity.
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


class LocalBentoML(EndpointDeployer):
    """A BentoML server per model on this machine, on 127.0.0.1 only."""

    root: str = Field(description="Folder of the endpoints, one folder for each model.")
    start_timeout_seconds: float = Field(
        default=120.0, gt=0, description="How long all workers may take to load a version."
    )

    def deploy(
        self,
        servable: Servable,
        model_file: Path,
        recorded: Sequence[RecordedRequest],
        online: OnlineFeatures,
        settings: DeploymentSettings,
    ) -> Endpoint:
        """See `EndpointDeployer.deploy`."""
        folder = self._folder(servable.model_name)
        process = EndpointProcess(folder.path)
        launch = Launch.of(settings.port, settings.workers)
        with exclusive(folder.path / "deploy.lock"):
            before = process.launch()
            if before is None or self._served(before, servable.model_name) is None:
                # Hung, or workers that outlived a killed manager and would hold the port.
                process.stop()
                before = None
            if before is None or before.port != launch.port:
                require_free(launch.port)
            version = folder.stage(servable, model_file, recorded)
            wanted = folder.wanted(servable, version, online, settings)
            current = folder.current()
            if before != launch or current is None or not self._serves(folder, current, wanted):
                current = self._move(folder, wanted, servable, recorded, (before, launch))
            return self._endpoint(launch, current)

    def redeploy(self, name: str, version: int, settings: DeploymentSettings) -> Endpoint:
        """See `EndpointDeployer.redeploy`."""
        folder = self._folder(name)
        servable, model_file, recorded = folder.kept(version)
        return self.deploy(servable, model_file, recorded, folder.online(servable), settings)

    def status(self, name: str) -> Endpoint | None:
        """See `EndpointDeployer.status`."""
        process = EndpointProcess(self._folder(name).path)
        launch = process.launch()
        served = self._served(launch, name) if launch else None
        if launch is None or served is None:
            return None
        return Endpoint(
            url=launch.url,
            model_name=served["model_name"],
            model_version=served["model_version"],
            generation=served["generation"],
            workers=len(process.workers()),
            entity=EntitySettings.model_validate(served["entity"]),
        )

    def predict(self, name: str, entities: Sequence[int | str]) -> list[dict[str, Any]]:
        """See `EndpointDeployer.predict`."""
        return self._client(name).predict(entities)

    def predict_features(self, name: str, rows: Sequence[FeatureRow]) -> list[dict[str, Any]]:
        """See `EndpointDeployer.predict_features`."""
        return self._client(name).predict_features(rows)

    def stop(self, name: str) -> None:
        """See `EndpointDeployer.stop`."""
        folder = self._folder(name)
        if not folder.path.exists():
            return
        with exclusive(folder.path / "deploy.lock"):
            EndpointProcess(folder.path).stop()

    def _folder(self, name: str) -> EndpointFolder:
        return EndpointFolder(Path(self.root, name).resolve())

    def _client(self, name: str) -> EndpointClient:
        launch = EndpointProcess(self._folder(name).path).launch()
        if launch is None:
            raise DeploymentError(
                f"no endpoint of {name!r} runs; materialize {name}/deployed_endpoint"
            )
        return self._client_of(launch, name)

    def _client_of(self, launch: Launch, name: str, seconds: float = 30.0) -> EndpointClient:
        return EndpointClient(launch.url, seconds, key=operator_key(self._folder(name).path))

    def _served(self, launch: Launch, name: str) -> dict[str, Any] | None:
        """What the server says it serves; None if it serves nothing or does not answer."""
        try:
            return self._client_of(launch, name, _ANSWER_SECONDS).model()
        except DeploymentError:
            return None

    def _endpoint(self, launch: Launch, manifest: Manifest) -> Endpoint:
        return Endpoint(
            url=launch.url,
            model_name=manifest.model_name,
            model_version=manifest.model_version,
            generation=manifest.generation,
            workers=launch.workers,
            entity=manifest.online.view.entity,
        )

    def _serves(self, folder: EndpointFolder, current: Manifest, wanted: Manifest) -> bool:
        """Whether what runs is what is wanted, and passed its checks."""
        numbers = {"generation": wanted.generation, "previous": wanted.previous}
        if folder.verified() != current or current.model_copy(update=numbers) != wanted:
            return False
        reported = folder.statuses(EndpointProcess(folder.path).workers())
        good = {"generation": current.generation, "error": None}
        return bool(reported) and all(status.items() >= good.items() for status in reported)

    def _move(
        self,
        folder: EndpointFolder,
        wanted: Manifest,
        servable: Servable,
        recorded: Sequence[RecordedRequest],
        launches: tuple[Launch | None, Launch],
    ) -> Manifest:
        """Serve and verify `wanted`, or put the last good version back and raise."""
        before, launch = launches
        process = EndpointProcess(folder.path)
        try:
            if before != launch:
                process.stop()
            folder.write(wanted)
            self._reach(folder, wanted, launch)
            self._client_of(launch, wanted.model_name).check(
                servable,
                recorded,
                max_rows=wanted.max_rows,
                max_body_bytes=wanted.max_body_bytes,
            )
        except BaseException as err:  # also when the run is cancelled
            tail = _tail(process.log)
            outcome = self._roll_back(folder, before or launch)
            if not isinstance(err, DeploymentError):
                raise
            raise DeploymentError(
                f"{wanted.model_name} version {wanted.model_version} was not deployed: {err} "
                f"{outcome} The end of {process.log}:\n{tail}"
            ) from err
        folder.mark_verified(wanted)
        return wanted

    def _reach(self, folder: EndpointFolder, wanted: Manifest, launch: Launch) -> None:
        """Start the server if it does not run, and wait until every worker serves `wanted`."""
        process = EndpointProcess(folder.path)
        if process.launch() is None:
            process.start(launch)
        deadline = time.monotonic() + self.start_timeout_seconds
        # Not at once, since a server is visible a moment after its start; and not at every turn,
        # since it means to look at every process of the machine.
        next_look = time.monotonic() + _GRACE_SECONDS
        while True:
            pids = process.workers()
            reached = [
                status
                for status in folder.statuses(pids)
                if status["generation"] == wanted.generation
            ]
            if errors := [status["error"] for status in reached if status["error"]]:
                raise DeploymentError(errors[0])
            if len(reached) == len(pids) == launch.workers:
                return
            if time.monotonic() > next_look:
                next_look += _GRACE_SECONDS
                if process.launch() is None:
                    raise DeploymentError("The server process ended.")
            if time.monotonic() > deadline:
                raise DeploymentError(
                    f"Only {len(reached)} of {launch.workers} workers were ready within "
                    f"{self.start_timeout_seconds:g} s; allow more by `start_timeout_seconds`."
                )
            time.sleep(_POLL_SECONDS)

    def _roll_back(self, folder: EndpointFolder, launch: Launch) -> str:
        """Serve the last good version again; says how that went."""
        process = EndpointProcess(folder.path)
        good = folder.verified()
        if good is None:
            process.stop()
            folder.forget_manifest()
            return "No version was served before; the endpoint is stopped."
        if process.launch() != launch:
            process.stop()
        try:
            restored = folder.write_again(good)
            self._reach(folder, restored, launch)
        except DeploymentError as err:
            return f"Version {good.model_version} could not be put back either: {err}"
        folder.mark_verified(restored)
        return f"Version {good.model_version} serves again."


def _tail(log: Path) -> str:
    if not log.exists():
        return "(empty)"
    return log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
