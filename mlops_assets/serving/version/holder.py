"""What a worker serves now, and the thread that brings it to what the manifest wants.

A new version is loaded and checked beside the old one, then swapped in by one assignment: a request
sees one version throughout. A version that cannot be served leaves the old one in place; at start,
when there is no old one, the manifest's `previous` takes its place. So does `verified.json` that of
a manifest that cannot be read.
"""

import gc
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from mlops_assets.blocks.base import one_line
from mlops_assets.errors import DeploymentError, MlopsError
from mlops_assets.records.files import (
    LOG_FOLDER,
    MANIFEST_FILE,
    RECORDED_FILE,
    STATUS_FOLDER,
    TRIAL_FOLDER,
    VERIFIED_FILE,
)
from mlops_assets.records.rollout import WATCHED_FILE, Candidate, Observed, Sighting
from mlops_assets.records.serving import EndpointLimits, Manifest, OnlineFeatures, RecordedRequest
from mlops_assets.runtime.atomic import write_atomically
from mlops_assets.serving.environment import POD
from mlops_assets.serving.online.choice import open_online
from mlops_assets.serving.online.lookup import OnlineLookup
from mlops_assets.serving.version.active import Active, Tally
from mlops_assets.serving.version.model import LoadedModel, load_servable
from mlops_assets.serving.version.prediction_log import PredictionLogWriter
from mlops_assets.serving.wire.requests import RequestDecoder

POLL_SECONDS = 0.25
RETRY_SECONDS = 5.0
"""How often a worker that could load nothing at all tries again."""

ABANDONED_SECONDS = 150.0
"""A trial that nobody watches for so long ends; a new generation of processes may need 120 s."""

logger = logging.getLogger(__name__)


class WorkerStatus(msgspec.Struct, frozen=True):
    """`status/<pid>.json`: how far one worker has come."""

    generation: int
    """The newest manifest it has acted on."""
    model_version: int | None
    """What it serves; None while it serves nothing."""
    error: str | None
    """Why it does not serve what that manifest wants."""


def read_manifest(endpoint: Path, name: str = MANIFEST_FILE) -> Manifest | None:
    """Read the wanted state; None where there is none, `DeploymentError` where it is damaged."""
    path = endpoint / name
    try:
        return Manifest.read(path.read_bytes(), endpoint)
    except FileNotFoundError:
        return None
    except ValueError as err:
        raise DeploymentError(
            f"{path} is damaged: {one_line(err)}. Deploy the model again."
        ) from err


def load_checked(folder: Path) -> LoadedModel:
    """Load a version; `MlopsError` if it cannot be, or answers otherwise than was recorded."""
    model = load_servable(folder)
    try:
        content = (folder / RECORDED_FILE).read_bytes()
        recorded = msgspec.json.decode(content)
        model.self_check([RecordedRequest.model_validate(request) for request in recorded])
    except MlopsError:
        raise
    except Exception as err:  # a model may raise anything at all when it predicts
        raise DeploymentError(
            f"the self-check of {folder} failed: {type(err).__name__}: {err}"
        ) from err
    return model


class ModelHolder:
    """The one mutable reference of a worker."""

    def __init__(
        self, endpoint: Path, open_online: Callable[[OnlineFeatures], OnlineLookup] = open_online
    ) -> None:
        """Serve what `endpoint`'s manifest names; nothing is read before `reconcile`."""
        self.active: Active | None = None
        self.endpoint = endpoint
        self.pod = os.environ.get(POD, "")
        """Its name, where the worker is the one of a pod."""
        self.log = PredictionLogWriter(endpoint / LOG_FOLDER, self.pod)
        self.error: str | None = None
        """Why the newest manifest is not what is served."""
        self._open_online = open_online
        self._seen: tuple[int, int] | None = None
        self._tried_at = 0.0
        self._reported = False
        self._step = 0
        self._ended: Active | None = None
        """The last trial: some of its requests may end after it."""

    def limits(self) -> EndpointLimits | None:
        """What `serving.api.guard` enforces now; None before the first version."""
        return self.active.manifest.limits if self.active else None

    def start(self) -> None:
        """Load the first version now, later ones in a thread."""
        self.reconcile()
        threading.Thread(target=self._run, name="reconciler", daemon=True).start()

    def count_step(self, step: int) -> Observed:
        """For a pod: what its one version did in that step of a trial, counted from now if new."""
        active = self.active
        if active is None:
            return Observed()
        if step != self._step or active.tally is None:
            self._step = step
            self.active = active = replace(active, tally=Tally())
        return active.tally.sighting() if active.tally else Observed()

    def require_active(self) -> None:
        """For a worker whose one version never changes; `DeploymentError` if it is not served."""
        if self.active is None:
            raise DeploymentError(self.error or f"there is no manifest in {self.endpoint}")

    def reconcile(self) -> None:
        """Act on the manifest if it is new; never raises."""
        try:
            self._reconcile()
        except Exception:  # e.g. a full disk; serving must outlive it
            logger.exception("reconciling failed; trying again in %g s", RETRY_SECONDS)

    def _run(self) -> None:
        while True:
            time.sleep(POLL_SECONDS)
            self.reconcile()
            self.end_abandoned_trial()
            self.report_trial()
            self.log.sync_if_due()

    def _reconcile(self) -> None:
        try:
            stat = (self.endpoint / MANIFEST_FILE).stat()
        except FileNotFoundError:
            return
        stamp = (stat.st_mtime_ns, stat.st_ino)
        unfinished = self.active is None or not self._reported
        retry = unfinished and time.monotonic() - self._tried_at > RETRY_SECONDS
        if stamp == self._seen and not retry:
            return
        self._seen, self._tried_at, self._reported = stamp, time.monotonic(), False
        try:
            wanted, error = read_manifest(self.endpoint), None
        except DeploymentError as err:
            wanted, error = self._instead(), str(err)
            logger.error("%s", error)
        if wanted is not None:
            error = " ".join(filter(None, (error, self._reach(wanted))))
            self._report(wanted, error or None)
            self._reported = True

    def _instead(self) -> Manifest | None:
        """What to serve where the manifest is damaged: what is served, else what last was good."""
        if self.active is not None:
            return self.active.manifest
        return read_manifest(self.endpoint, VERIFIED_FILE)

    def _reach(self, wanted: Manifest) -> str | None:
        """Serve what `wanted` says; else say why not."""
        error = self._try(wanted, wanted.folder)
        if error is None or self.active is not None or wanted.previous is None:
            return error
        worse = self._try(wanted, wanted.previous)
        if worse is None:
            return f"{error} Serving the previous version."
        either = "The previous version cannot be served either"
        return f"{error} {either}." if worse == error else f"{error} {either}: {worse}"

    def _try(self, wanted: Manifest, folder: str) -> str | None:
        try:
            self._swap(wanted, Path(folder))
        except MlopsError as err:
            logger.warning("generation %d cannot be served: %s", wanted.generation, err)
            return str(err)
        except Exception as err:
            logger.exception("generation %d cannot be served", wanted.generation)
            return f"{type(err).__name__}: {err}"
        return None

    def _swap(self, wanted: Manifest, folder: Path) -> None:
        current = self.active
        model = _known_or_loaded(current, folder)
        if current is not None and wanted.online == current.manifest.online:
            online = current.online
        else:
            online = self._open_online(wanted.online)
        served = wanted.model_copy(update={"folder": str(folder)})
        decoder = RequestDecoder(model.servable, wanted.max_rows)
        self.active = Active(served, model, online, decoder, self.log, role=wanted.role)
        if wanted.candidate is not None:  # where it cannot be loaded, the version beside it serves
            self.active = _with_candidate(self.active, wanted.candidate, current)
        self._ended = current
        gc.collect()
        if current is None:
            # Collections over the libraries' objects own the tail latency: put them out of reach,
            # once. Later versions stay within reach, and go when they are replaced.
            gc.freeze()

    def end_abandoned_trial(self) -> None:
        """Take a candidate away whose deployer was killed: nobody would judge it."""
        active = self.active
        if active is None or active.candidate is None:
            return
        try:
            watched = (self.endpoint / TRIAL_FOLDER / WATCHED_FILE).stat().st_mtime
        except FileNotFoundError:
            watched = 0.0
        if time.time() - watched > ABANDONED_SECONDS:
            logger.error("nobody watches the candidate; it is taken away")
            self.active = replace(active, candidate=None, tally=None)

    def report_trial(self) -> None:
        """Write what was seen of both versions during a trial; never raises."""
        ended, self._ended = self._ended, None
        for active in filter(None, (ended, self.active)):
            self._report_trial(active)

    def _report_trial(self, active: Active) -> None:
        candidate = active.candidate
        if candidate is None or active.tally is None or candidate.tally is None:
            return
        seen = Sighting(primary=active.tally.sighting(), candidate=candidate.tally.sighting())
        content = seen.model_dump_json().encode()
        path = self.endpoint / TRIAL_FOLDER / f"{os.getpid()}-{active.manifest.generation}.json"
        try:
            write_atomically(path, lambda file: file.write_bytes(content))
        except MlopsError as err:
            logger.warning("%s", err)

    def _report(self, wanted: Manifest, error: str | None) -> None:
        self.error = error
        served = self.active.model.servable.model_version if self.active else None
        status = WorkerStatus(wanted.generation, served, error)
        path = self.endpoint / STATUS_FOLDER / f"{os.getpid()}.json"
        write_atomically(path, lambda file: file.write_bytes(msgspec.json.encode(status)))


def _known_or_loaded(known: Active | None, folder: Path) -> LoadedModel:
    if known is not None and Path(known.manifest.folder) == folder:
        return known.model
    return load_checked(folder)


def _with_candidate(active: Active, wanted: Candidate, before: Active | None) -> Active:
    """The same with a version on trial beside it; both counted from zero."""
    model = _known_or_loaded(before.candidate if before else None, Path(wanted.folder))
    candidate = Active(
        active.manifest.model_copy(update={"folder": wanted.folder}),
        model,
        active.online,
        RequestDecoder(model.servable, active.manifest.max_rows),
        active.log,
        role=wanted.role,
        weight=wanted.weight,
        tally=Tally(),
    )
    return replace(active, candidate=candidate, tally=Tally())
