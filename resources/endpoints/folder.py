"""The files of one endpoint, as its workers and its deployer share them.

versions/<version>/   servable.json, model.skops, recorded.json, model.onnx where ONNX Runtime
                      serves, model card, reference profile and lock; never changed once there
deployment.json       what the workers must serve
verified.json         the last deployment.json that passed every check: where to go back to
status/<pid>.json     what each worker serves
predictions/          the prediction log, one file after another per worker
metrics/<name>.prom   what batch jobs measured, passed on by `/metrics`
launch.json           how its processes are started; server.log, what they say
trial/                what each worker saw of a candidate; rollouts.jsonl, how each trial ended
stopped               somebody stopped it on purpose: nothing starts it by itself

Of an endpoint in a cluster, `resources.cluster.applied` adds to versions/, verified.json,
predictions/ and metrics/ what its pods read.
"""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlops_assets.blocks.base import one_line
from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records import files
from mlops_assets.records.rollout import WATCHED_FILE, Candidate, Observed, Sighting, TrialReport
from mlops_assets.records.serving import Manifest, OnlineFeatures, RecordedRequest, Servable
from mlops_assets.runtime.atomic import ensure_folder, write_atomically
from resources.endpoints.api_keys import limits

KEPT_VERSIONS = 5


class EndpointFolder:
    """Reads and writes one endpoint's folder; the caller holds its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stage(
        self, servable: Servable, model_file: Path, recorded: Sequence[RecordedRequest]
    ) -> Path:
        """Put a version in place, whole or not at all.

        Requests recorded later, on newer rows, do not change a version that stands there, nor does
        what was said of it since: its workers keep checking themselves with the first ones. A file
        that is not the registered one is refused, as is a version that stands here with another
        content.
        """
        inference = servable.inference
        requests = [request.model_dump(mode="json") for request in recorded]
        content = {
            files.SERVABLE_FILE: servable.model_dump_json(indent=2).encode(),
            files.MODEL_FILE: read_checked(model_file, servable.sha256),
            files.RECORDED_FILE: json.dumps(requests).encode(),
        }
        if inference.onnx_sha256 is not None:
            onnx_file = model_file.with_suffix(".onnx")
            content[files.ONNX_FILE] = read_checked(onnx_file, inference.onnx_sha256)
        for name, sha256 in servable.documents.items():
            content[name] = read_checked(model_file.with_name(name), sha256)
        versions = ensure_folder(self.path / files.VERSIONS_FOLDER)
        target = versions / str(servable.model_version)
        for leftover in versions.glob(".staging-*"):
            shutil.rmtree(leftover)
        if target.exists():
            _require_equal(target, servable, content)
            os.utime(target)  # for `prune`
            return target
        staging = Path(tempfile.mkdtemp(dir=versions, prefix=".staging-"))
        for name, data in content.items():
            write_atomically(staging / name, lambda file, data=data: file.write_bytes(data))
        staging.rename(target)
        return target

    def kept(self, number: int) -> tuple[Servable, Path, list[RecordedRequest]]:
        """What `stage` put in place: the servable, its model file and the recorded requests.

        A version that was never deployed here, or whose folder is damaged, is a `DeploymentError`.
        """
        version = self.path / files.VERSIONS_FOLDER / str(number)
        if not version.is_dir():
            known = sorted(int(p.name) for p in version.parent.glob("*") if p.name.isdecimal())
            model, there = self.path.name, "there is no other"
            if known:
                asked = f"mlops show {model}@{number}"
                there = f"choose one of {known}, and see by `{asked}` why it is none of them"
            raise DeploymentError(
                f"version {number} was never deployed at this endpoint, or its files are gone; "
                f"{there}. `mlops run {model}` deploys the newest that passed the gate."
            )
        try:
            servable = Servable.model_validate_json((version / files.SERVABLE_FILE).read_bytes())
            requests = json.loads((version / files.RECORDED_FILE).read_bytes())
            recorded = [RecordedRequest.model_validate(request) for request in requests]
        except (OSError, ValueError) as err:
            raise DeploymentError.of_files(
                version, f"{version} is damaged: {one_line(err)}"
            ) from err
        return servable, version / files.MODEL_FILE, recorded

    def online(self, servable: Servable) -> OnlineFeatures:
        """How workers read features now, if the version can be fed by that.

        It is a `DeploymentError` if no version was ever good here, or this one needs other
        features.
        """
        manifest = self.verified() or self.current()
        if manifest is None:
            raise DeploymentError(
                f"{self.path} holds no {files.VERIFIED_FILE} that can be read: nothing was "
                f"deployed yet, or it is damaged; run `mlops run {servable.model_name}`"
            )
        stored = manifest.online.view.features
        missing = [name for name, dtype in servable.features.items() if stored.get(name) != dtype]
        if missing:
            raise DeploymentError(
                f"version {servable.model_version} needs the features {missing}, which the "
                "feature store does not hold any more; restore them in the YAML and materialize "
                "them first"
            )
        if servable.entity is not None and manifest.online.view.entity is None:
            raise DeploymentError(
                f"version {servable.model_version} is asked by `{servable.entity.name}`, and the "
                "features are published for no id any more; restore `entity` in the YAML and "
                "materialize them first"
            )
        return manifest.online

    def wanted(
        self,
        servable: Servable,
        version: Path,
        online: OnlineFeatures,
        settings: DeploymentSettings,
    ) -> Manifest:
        """The next manifest: serve `version`, and fall back to the last good one."""
        verified = self.verified()
        previous = None
        if verified is not None:
            same = verified.folder == str(version)
            previous = verified.previous if same else verified.folder
        return Manifest(
            generation=self._next_generation(),
            model_name=servable.model_name,
            model_version=servable.model_version,
            folder=str(version),
            previous=previous,
            online=online,
            max_rows=settings.max_rows,
            max_body_bytes=settings.max_body_bytes,
            limits=limits(settings, self.path),
            log=settings.log,
        )

    def current(self) -> Manifest | None:
        """What the workers must serve; None if nothing, or if the file is damaged."""
        return self._read(files.MANIFEST_FILE)

    def verified(self) -> Manifest | None:
        """The last manifest that passed every check."""
        return self._read(files.VERIFIED_FILE)

    def write(self, manifest: Manifest) -> None:
        """Make the workers serve `manifest`."""
        self._write(files.MANIFEST_FILE, manifest)

    def write_again(self, manifest: Manifest) -> Manifest:
        """Make the workers serve an older manifest, as a new generation."""
        renewed = manifest.model_copy(update={"generation": self._next_generation()})
        self.write(renewed)
        return renewed

    def mark_verified(self, manifest: Manifest) -> None:
        """Remember `manifest` as the one to go back to."""
        self._write(files.VERIFIED_FILE, manifest)

    def statuses(self, pids: Sequence[int]) -> list[dict]:
        """What the given workers reported; drops the files of dead ones."""
        import psutil

        found = []
        for file in (self.path / files.STATUS_FOLDER).glob("*.json"):
            if file.stem in {str(pid) for pid in pids}:
                with contextlib.suppress(ValueError):  # damaged: as if the worker had not reported
                    found.append(json.loads(file.read_bytes()))
            elif not psutil.pid_exists(int(file.stem)):
                file.unlink(missing_ok=True)
        return found

    def write_trial(self, good: Manifest, candidate: Candidate) -> Manifest:
        """Make the workers try `candidate` beside the last good version."""
        update = {"generation": self._next_generation(), "candidate": candidate}
        trial = good.model_copy(update=update)
        self.watch_trial()
        self.write(trial)
        return trial

    def watch_trial(self) -> None:
        """Tell the workers that somebody waits for the verdict; without it the trial ends."""
        (ensure_folder(self.path / files.TRIAL_FOLDER) / WATCHED_FILE).touch()

    def watched_seconds(self) -> float:
        """How long somebody waited for the verdict since the last step of a trial began."""
        watched = self.path / files.TRIAL_FOLDER / WATCHED_FILE
        if not watched.exists():
            return 0.0
        return max(0.0, watched.stat().st_mtime - (self.path / files.MANIFEST_FILE).stat().st_mtime)

    def sightings(self, generation: int | None = None) -> Sighting:
        """What all workers, also dead ones, saw of both versions; by default in all steps."""
        primary = candidate = Observed()
        step = "*" if generation is None else generation
        for file in (self.path / files.TRIAL_FOLDER).glob(f"*-{step}.json"):
            seen = Sighting.model_validate_json(file.read_bytes())
            primary, candidate = primary + seen.primary, candidate + seen.candidate
        return Sighting(primary=primary, candidate=candidate)

    def report(self, trial: TrialReport) -> None:
        """Add a line to `rollouts.jsonl`, and drop what was counted."""
        with (self.path / files.ROLLOUTS_FILE).open("ab") as file:
            file.write(trial.model_dump_json().encode() + b"\n")
        shutil.rmtree(self.path / files.TRIAL_FOLDER, ignore_errors=True)

    def prune(self) -> None:
        """Drop all but the five versions deployed last, and those that serve or would."""
        manifests = filter(None, (self.current(), self.verified()))
        kept = {folder for one in manifests for folder in (one.folder, one.previous)}
        found = (self.path / files.VERSIONS_FOLDER).glob("*")
        versions = [path for path in found if path.name.isdecimal()]
        versions.sort(key=lambda path: (path.stat().st_mtime, int(path.name)))
        for old in versions[:-KEPT_VERSIONS]:
            if str(old) not in kept:
                shutil.rmtree(old)

    def _next_generation(self) -> int:
        known = [manifest.generation for manifest in (self.current(), self.verified()) if manifest]
        known += [int(file.stem) for file in (self.path / files.GENERATIONS_FOLDER).glob("*.json")]
        return max(known, default=0) + 1

    def _read(self, name: str) -> Manifest | None:
        try:
            return Manifest.read((self.path / name).read_bytes(), self.path)
        except (OSError, ValueError):
            return None

    def _write(self, name: str, manifest: Manifest) -> None:
        content = manifest.written(self.path)
        write_atomically(self.path / name, lambda file: file.write_bytes(content))


def read_checked(file: Path, sha256: str) -> bytes:
    """Read a file of a version; raises if its content is not the one that was registered."""
    try:
        content = file.read_bytes()
    except OSError as err:
        raise DeploymentError.of_files(file.parent, f"cannot read {file}: {err.strerror}") from err
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise DeploymentError.of_files(
            file.parent, f"{file} has sha256 {actual}, registered was {sha256}"
        )
    return content


def _require_equal(target: Path, servable: Servable, content: dict[str, bytes]) -> None:
    """Compare models byte by byte, what is told of them by meaning: a later release adds fields."""
    for name in (files.SERVABLE_FILE, *(name for name in content if name.startswith("model."))):
        path = target / name
        found = path.read_bytes() if path.exists() else b""
        if found != content[name] and not (name == files.SERVABLE_FILE and _means(found, servable)):
            said = f"{path} stands there with another content, and versions never change"
            raise DeploymentError.of_files(target, said)


def _means(found: bytes, servable: Servable) -> bool:
    try:
        stands = Servable.model_validate_json(found)
        return stands.model_copy(update={"documents": servable.documents}) == servable
    except ValueError:
        return False
