"""Deployed endpoints: one model behind HTTP, moved from version to version without a gap.

`EndpointDeployer` is what the assets know; `LocalBentoML` runs BentoML on this machine. A version
counts as deployed only after every worker loaded it and the live server repeated the recorded
requests; anything else puts the last good version back.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import DEPLOY_LOCK, LAUNCH_FILE, STOPPED_FILE, VERIFIED_FILE
from mlops_assets.records.serving import (
    Endpoint,
    Manifest,
    OnlineFeatures,
    RecordedRequest,
    Servable,
)
from mlops_assets.runtime.atomic import exclusive
from resources.endpoints.api_keys import operator_key
from resources.endpoints.client import EndpointClient, FeatureRow
from resources.endpoints.deployer import EndpointDeployer, nothing
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.process import EndpointProcess, Launch, require_free
from resources.endpoints.rollout import Rollout

_ANSWER_SECONDS = 10.0


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
        confirm: Callable[[], None] = nothing,
    ) -> Endpoint:
        """See `EndpointDeployer.deploy`."""
        folder = self._folder(servable.model_name)
        process = EndpointProcess(folder.path)
        launch = Launch.of(settings.port, settings.workers)
        with exclusive(folder.path / DEPLOY_LOCK):
            before = process.launch()
            if before is None or self._served(before, servable.model_name) is None:
                # Hung, or workers that outlived a killed manager and would hold the port.
                process.stop()
                before = None
            if before is None or before.port != launch.port:
                require_free(launch.port)
            self._rollout(folder, launch).end_left_trial()
            version = folder.stage(servable, model_file, recorded)
            wanted = folder.wanted(servable, version, online, settings)
            current = folder.current()
            (folder.path / STOPPED_FILE).unlink(missing_ok=True)
            same = before == launch and current is not None
            if same and self._serves(folder, current, wanted, launch):
                confirm()
            else:
                rollout = self._rollout(folder, launch)
                rollout.move(wanted, recorded, before, settings.rollout, confirm)
                current = folder.current() or wanted
            return self._endpoint(launch, current)

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
        at_once = settings.model_copy(update={"rollout": RolloutSettings()})
        read = online or folder.online(servable)
        return self.deploy(servable, model_file, recorded, read, at_once, confirm)

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
            workers=len(process.workers(launch)),
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
        """See `EndpointDeployer.stop`."""
        folder = self._folder(name)
        if not folder.path.exists():
            return
        with exclusive(folder.path / DEPLOY_LOCK):
            EndpointProcess(folder.path).stop()
            (folder.path / STOPPED_FILE).touch()

    def stopped(self, name: str) -> bool:
        """See `EndpointDeployer.stopped`."""
        return (self._folder(name).path / STOPPED_FILE).exists()

    def names(self) -> list[str]:
        """Models whose endpoint was deployed here once and not stopped on purpose."""
        found = [path.parent for path in Path(self.root).resolve().glob(f"*/{VERIFIED_FILE}")]
        here = [path.name for path in found if (path / LAUNCH_FILE).exists()]
        return sorted(name for name in here if not self.stopped(name))

    def up(self, name: str) -> Endpoint:
        """Serve again what served last, from the kept files alone.

        Raises:
            DeploymentError: Nothing was deployed here, or it cannot be served.
            PortInUseError: Somebody else listens on the port.
        """
        folder = self._folder(name)
        process = EndpointProcess(folder.path)
        if process.kept_launch() is None or folder.verified() is None:
            damaged = all((folder.path / file).exists() for file in (VERIFIED_FILE, LAUNCH_FILE))
            why = "was never deployed here"
            if damaged:
                why = f"has a damaged {VERIFIED_FILE} or {LAUNCH_FILE} in {folder.path}"
            raise DeploymentError(f"{name!r} {why}; run `mlops run {name}`")
        with exclusive(folder.path / DEPLOY_LOCK):
            kept, good = process.kept_launch(), folder.verified()
            if kept is None or good is None:
                raise DeploymentError(f"{folder.path} was emptied; run `mlops run {name}`")
            (folder.path / STOPPED_FILE).unlink(missing_ok=True)
            launch = Launch.of(kept.port, kept.workers)
            self._rollout(folder, launch).end_left_trial()
            running = process.launch()
            if running is not None and self._served(running, name) is not None:
                return self._endpoint(running, good)
            process.stop()
            current = folder.write_again(good)
            self._rollout(folder, launch).reach(current)
            folder.mark_verified(current)
            return self._endpoint(launch, current)

    def _rollout(self, folder: EndpointFolder, launch: Launch) -> Rollout:
        client = self._client_of(launch, folder.path.name)
        return Rollout(folder, launch, client, self.start_timeout_seconds)

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

    def _serves(
        self, folder: EndpointFolder, current: Manifest, wanted: Manifest, launch: Launch
    ) -> bool:
        """Whether what runs is what is wanted, and passed its checks."""
        numbers = {"generation": wanted.generation, "previous": wanted.previous}
        if folder.verified() != current or current.model_copy(update=numbers) != wanted:
            return False
        reported = folder.statuses(EndpointProcess(folder.path).workers(launch))
        good = {"generation": current.generation, "error": None}
        return bool(reported) and all(status.items() >= good.items() for status in reported)
