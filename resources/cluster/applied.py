"""What was applied to a cluster for an endpoint, kept beside its manifests on the shared claim.

cluster.json           the objects of the last generation that passed every check: the way back
generations/<n>.json   the manifest of one generation, never changed while its pods may start
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from mlops_assets.blocks.base import Duration, Record, one_line
from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import APPLIED_FILE, GENERATIONS_FOLDER
from mlops_assets.records.serving import Manifest
from mlops_assets.runtime.atomic import write_atomically

_KEPT = 5


class Applied(Record):
    """`cluster.json`."""

    target: Literal["kubernetes", "kserve"]
    namespace: str
    url: str
    generation: int
    replicas: int
    start_timeout: Duration
    scheduling_timeout: Duration
    objects: list[dict[str, Any]] = Field(description="As they were applied, without secrets.")

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Kind and name of each object."""
        return [(one["kind"], one["metadata"]["name"]) for one in self.objects]


def read_applied(endpoint: Path) -> Applied | None:
    """What was applied last for the endpoint in that folder; None if nothing."""
    file = endpoint / APPLIED_FILE
    try:
        return Applied.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as err:
        raise DeploymentError(
            f"{file} is damaged: {one_line(err)}. Delete it and the endpoint's objects in the "
            "cluster, then deploy again."
        ) from err


def write_applied(endpoint: Path, applied: Applied) -> None:
    """Remember it as the way back."""
    content = applied.model_dump_json(indent=2).encode()
    write_atomically(endpoint / APPLIED_FILE, lambda file: file.write_bytes(content))


def generation_file(endpoint: Path, generation: int) -> Path:
    """Where the pods of a generation find their manifest."""
    return endpoint / GENERATIONS_FOLDER / f"{generation}.json"


def write_generation(endpoint: Path, manifest: Manifest) -> None:
    """Write the manifest for pods: they serve this version or none, so nothing to fall back to."""
    content = manifest.model_copy(update={"previous": None}).written(endpoint)
    path = generation_file(endpoint, manifest.generation)
    write_atomically(path, lambda file: file.write_bytes(content))


def prune_generations(endpoint: Path) -> None:
    """Drop all but the newest manifests."""
    files = sorted((endpoint / GENERATIONS_FOLDER).glob("*.json"), key=lambda file: int(file.stem))
    for old in files[:-_KEPT]:
        old.unlink()
