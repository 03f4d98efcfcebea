"""How far a trial in a cluster has come, kept on the shared claim for a process after this one."""

import time
from pathlib import Path
from typing import Literal

from mlops_assets.blocks.base import Record, one_line
from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import DEPLOY_LOCK, TRIAL_FILE
from mlops_assets.records.rollout import Candidate, Sighting
from mlops_assets.records.serving import Manifest
from mlops_assets.runtime.atomic import is_held, write_atomically
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.rollout.trial import reported

ABANDONED_SECONDS = 150.0
"""As a worker of one machine waits for who watches its trial."""


class TrialState(Record):
    """`trial.json`: it is there while something of a candidate may be in the cluster."""

    role: Literal["canary", "shadow"]
    from_version: int
    from_generation: int
    to_version: int
    generation: int
    weights: tuple[float, ...]
    began: float
    """Seconds since 1970, as is `step_began`."""
    step_began: float
    seen: tuple[Sighting, ...]
    """What each step saw; the pods know the last one better."""
    keys: tuple[tuple[str, str], ...]
    """Kind and name of each object of the candidate."""
    routed: bool
    """Whether a gateway shares the requests out."""
    reported: bool = False
    """Whether its end is written down."""


def read_trial(endpoint: Path) -> TrialState | None:
    """The trial of the endpoint in that folder; None without one."""
    file = endpoint / TRIAL_FILE
    try:
        return TrialState.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as err:
        raise DeploymentError(
            f"{file} is damaged: {one_line(err)}. Delete it and the candidate's objects in the "
            "cluster, whose names end with --c, then deploy again."
        ) from err


def write_trial(endpoint: Path, state: TrialState) -> None:
    """Remember it; and that somebody waits for the verdict."""
    content = state.model_dump_json().encode()
    write_atomically(endpoint / TRIAL_FILE, lambda file: file.write_bytes(content))


def watched_at(endpoint: Path) -> float:
    """When somebody waited last, in seconds since 1970."""
    return (endpoint / TRIAL_FILE).stat().st_mtime


def is_abandoned(endpoint: Path) -> bool:
    """Whether a trial is left that nobody waits for any more, nor is about to begin a step of."""
    try:
        waited = time.time() - watched_at(endpoint)
    except FileNotFoundError:
        return False
    return waited > ABANDONED_SECONDS and not is_held(endpoint / DEPLOY_LOCK)


def end_stopped(folder: EndpointFolder, left: TrialState, good: Manifest) -> None:
    """Write down the end of a trial whose endpoint was stopped, pods and all."""
    if not left.reported:
        seconds = max(0.0, watched_at(folder.path) - left.began)
        write_end(folder, left, good, "the endpoint was stopped", seconds)
    (folder.path / TRIAL_FILE).unlink(missing_ok=True)


def write_end(
    folder: EndpointFolder, left: TrialState, good: Manifest, reason: str, seconds: float
) -> None:
    """Write down how a trial ended that its own process could not end."""
    candidate = Candidate(
        model_version=left.to_version, folder=good.folder, role=left.role, weight=left.weights[0]
    )
    folder.report(reported(good, candidate, reason, seconds, left.seen))
