"""An endpoint on this machine: a BentoML server on 127.0.0.1, moved from version to version.

A version counts as deployed only after every worker loaded it and the live server repeated the
recorded requests; anything else puts the last good version back.
"""

from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import APPLIED_FILE, LAUNCH_FILE, STOPPED_FILE, VERIFIED_FILE
from mlops_assets.records.serving import Endpoint, Manifest
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.process import EndpointProcess, Launch, require_free
from resources.endpoints.rollout.local import Rollout
from resources.endpoints.target import Release, Target


class LocalTarget(Target):
    """This machine."""

    def __init__(self, folder: EndpointFolder, start_timeout_seconds: float) -> None:
        """Let workers take so long to load a version."""
        super().__init__(folder)
        self._process, self._timeout = EndpointProcess(folder.path), start_timeout_seconds

    def url(self) -> str | None:
        """See `Target.url`."""
        launch = self._process.launch()
        return launch.url if launch else None

    def workers(self) -> int:
        """See `Target.workers`; those of the generation that was launched last."""
        return len(self._process.workers(self._process.kept_launch()))

    def deploy(self, release: Release) -> Endpoint:
        """See `Target.deploy`."""
        folder, settings = self._folder, release.settings
        launch, before = Launch.of(settings.port, settings.workers), self._process.launch()
        if before is None or self._served(before.url) is None:
            # Hung, or workers that outlived a killed manager and would hold the port.
            self._process.stop()
            before = None
        if before is None or before.port != launch.port:
            require_free(launch.port)
        rollout = self._rollout(launch, before)
        rollout.end_left_trial()
        wanted = self._stage(release)
        if before == launch and self._serves(wanted, launch):
            release.confirm()
        else:
            rollout.to(wanted, release)
        (folder.path / APPLIED_FILE).unlink(missing_ok=True)
        return _described(launch, folder.current() or wanted)

    def end(self) -> None:
        """See `Target.end`."""
        self._process.stop()

    def kept(self) -> tuple[Launch, Manifest]:
        """How it was launched last, and what passed its checks last; raises if there is none."""
        launch, good = self._process.kept_launch(), self._folder.verified()
        if launch is not None and good is not None:
            return launch, good
        path, why = self._folder.path, "was never deployed here"
        if all((path / file).exists() for file in (VERIFIED_FILE, LAUNCH_FILE)):
            why = f"has a damaged {VERIFIED_FILE} or {LAUNCH_FILE} in {path}"
        raise DeploymentError(f"{path.name!r} {why}; run `mlops run {path.name}`")

    def up(self) -> Endpoint:
        """Serve again what served last, or raise; the caller holds the endpoint's lock."""
        kept, good = self.kept()
        (self._folder.path / STOPPED_FILE).unlink(missing_ok=True)
        launch = Launch.of(kept.port, kept.workers)
        rollout = self._rollout(launch)
        rollout.end_left_trial()
        running = self._process.launch()
        if running is not None and self._served(running.url) is not None:
            return _described(running, good)
        self._process.stop()
        current = self._folder.write_again(good)
        rollout.reach(current)
        self._folder.mark_verified(current)
        return _described(launch, current)

    def _rollout(self, launch: Launch, before: Launch | None = None) -> Rollout:
        return Rollout(self._folder, launch, self.client(launch.url), self._timeout, before)

    def _serves(self, wanted: Manifest, launch: Launch) -> bool:
        """Whether what runs is what is wanted, and passed its checks."""
        good = self._verified_as(wanted)
        if good is None or good != self._folder.current():
            return False
        reported = self._folder.statuses(self._process.workers(launch))
        same = {"generation": good.generation, "error": None}
        return bool(reported) and all(status.items() >= same.items() for status in reported)


def _described(launch: Launch, manifest: Manifest) -> Endpoint:
    return Endpoint(
        url=launch.url,
        model_name=manifest.model_name,
        model_version=manifest.model_version,
        generation=manifest.generation,
        workers=launch.workers,
        entity=manifest.online.view.entity,
    )
