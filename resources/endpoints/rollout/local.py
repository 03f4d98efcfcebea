"""Bringing one local endpoint from the version that serves to the wanted one, or back.

At once, or after a trial beside the version that serves: as a canary, which answers a growing share
of the requests, or as a shadow, which answers none. The caller holds the endpoint's lock.

The steps of a trial are `resources.endpoints.rollout.trial`; the champion is moved by
`resources.champion.aliases`.
"""

import time
from pathlib import Path

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import MANIFEST_FILE
from mlops_assets.records.rollout import Candidate, Sighting
from mlops_assets.records.serving import Manifest
from resources.endpoints.client import EndpointClient
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.process import EndpointProcess, Launch
from resources.endpoints.rollout.handover import Handover
from resources.endpoints.rollout.trial import LOOK_SECONDS, Trial, reported

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 2.0
_LOG_TAIL_BYTES = 2000


class Rollout(Handover):
    """By workers that load another version."""

    def __init__(
        self,
        folder: EndpointFolder,
        launch: Launch,
        client: EndpointClient,
        timeout: float,
        before: Launch | None = None,
    ) -> None:
        """Let workers take `timeout` seconds to load a version; `before` is what answers now."""
        super().__init__(folder)
        self._launch, self._client, self._before = launch, client, before
        self._process = EndpointProcess(folder.path)
        self._timeout, self._good = timeout, folder.verified()
        self._logged = _size(self._process.log)

    def reach(self, wanted: Manifest) -> None:
        """Run what `launch` says; wait until all its workers, and no older one, serve `wanted`."""
        self._process.bring(self._launch)
        deadline = time.monotonic() + self._timeout
        # Not at once, since a server is visible a moment after its start; and not at every turn,
        # since it means to look at every process of the machine.
        next_look = time.monotonic() + _GRACE_SECONDS
        while True:
            pids = self._process.workers(self._launch)
            reported = self._folder.statuses(pids)
            reached = [status for status in reported if status["generation"] == wanted.generation]
            if errors := [status["error"] for status in reached if status["error"]]:
                raise DeploymentError(errors[0])
            all_ready = len(reached) == len(pids) == self._launch.workers
            if all_ready and {*self._process.workers()} == {*pids}:  # none is older
                return
            if time.monotonic() > next_look:
                next_look += _GRACE_SECONDS
                self._require_alive(wanted)
            if time.monotonic() > deadline:
                raise DeploymentError(
                    f"Only {len(reached)} of {self._launch.workers} workers were ready within "
                    f"{self._timeout:g} s; allow more by `start_timeout_seconds`."
                )
            time.sleep(_POLL_SECONDS)

    def _require_alive(self, wanted: Manifest) -> None:
        if self._process.launch() is None:
            raise DeploymentError("The server process ended.")
        if failure := self._process.failure():
            raise DeploymentError(failure)
        current = self._folder.current()
        if current is not None and current.generation > wanted.generation:
            raise DeploymentError("The workers that loaded it crashed, again and again.")

    def end_left_trial(self) -> None:
        """Take the candidate of a killed process away, and write down how its trial ended."""
        left = self._folder.current()
        if left is None or left.candidate is None:
            return
        reason = "the process that waited for the verdict was killed"
        seconds, seen = self._folder.watched_seconds(), self._folder.sightings()
        report = reported(left, left.candidate, reason, seconds, [seen])
        self._folder.write_again(left.model_copy(update={"candidate": None}))
        self._folder.report(report)

    def _serve(
        self, wanted: Manifest, settings: RolloutSettings
    ) -> tuple[Manifest, EndpointClient]:
        """See `Handover._serve`; on trial first, if the settings say so and another one serves."""
        good = self._good
        tried = settings.strategy != "all_at_once" and self._before is not None
        if tried and good is not None and good.folder != wanted.folder:
            trial = LocalTrial(self, self._folder, settings)
            trial.run(good, wanted)
            wanted = wanted.model_copy(update={"generation": trial.generation + 1})
        self._folder.write(wanted)
        self.reach(wanted)
        return wanted, self._client

    def _back(self, reason: str) -> str:
        """See `Handover._back`; with the end of what the processes wrote."""
        log = self._process.log
        tail = _tail(log, self._logged, reason)  # of the version that failed
        restored = self._restore(reason)
        return f"{restored} The end of {log}:\n{tail}" if tail else restored

    def _restore(self, reason: str) -> str:
        good, launch = self._good, self._before or self._launch
        if good is None:
            self._process.stop()
            (self._folder.path / MANIFEST_FILE).unlink(missing_ok=True)
            return "No version was served before; the endpoint is stopped."
        try:
            restored = self._folder.write_again(good)
            same = launch == self._launch
            rollout = self if same else Rollout(self._folder, launch, self._client, self._timeout)
            rollout.reach(restored)
        except DeploymentError as err:
            why = "." if str(err) in reason else f": {err}"
            return f"Version {good.model_version} could not be put back either{why}"
        self._folder.mark_verified(restored)
        return f"Version {good.model_version} serves again."


class LocalTrial(Trial):
    """By workers that load the candidate beside the version that serves."""

    def __init__(self, rollout: Rollout, folder: EndpointFolder, settings: RolloutSettings) -> None:
        super().__init__(folder, settings)
        self._rollout, self.generation = rollout, 0

    def _begin(self, good: Manifest, candidate: Candidate) -> None:
        """See `Trial._begin`."""
        trial = self._folder.write_trial(good, candidate)
        self._rollout.reach(trial)
        self.generation, self._step_began = trial.generation, time.monotonic()
        self._seen.append(self._sighting())

    def _sighting(self) -> Sighting:
        """See `Trial._sighting`."""
        return self._folder.sightings(self.generation)

    def _look(self) -> str | None:
        """See `Trial._look`."""
        self._folder.watch_trial()
        return None

    def _end(self, good: Manifest) -> None:
        """See `Trial._end`."""
        self._rollout.reach(self._folder.write_again(good))
        time.sleep(LOOK_SECONDS)  # for the requests that it was answering
        self._count()


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _tail(log: Path, begun: int, reason: str) -> str:
    """The last whole lines since the log had `begun` bytes; none in which workers say the reason.

    A log that is shorter by now was moved aside meanwhile.
    """
    written = log.read_bytes() if log.exists() else b""
    new = written[begun if begun <= len(written) else 0 :]
    whole = new[: new.rfind(b"\n") + 1]
    if len(whole) > _LOG_TAIL_BYTES:
        whole = whole[-_LOG_TAIL_BYTES:].partition(b"\n")[2]
    lines = whole.decode(errors="replace").splitlines()
    said = (line.partition(" cannot be served: ")[2] for line in lines)
    more = [line for line, why in zip(lines, said, strict=True) if not why or why not in reason]
    return "\n".join(more)
