"""The one process of a pod: a single worker that serves one generation for all its life.

What the cluster does elsewhere the supervisor and the template do on one machine: it starts more of
these, replaces those that end, and brings another version by other pods. MLOPS_MANIFEST names the
generation's manifest, in the storage that all pods share, as are the version's files and the
prediction log. MLOPS_ENDPOINT is a folder of this pod alone, for what a worker writes beside them.
"""

import json
import logging
import os
import shutil
from pathlib import Path

from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import (
    LOG_FOLDER,
    MANIFEST_FILE,
    METRICS_FOLDER,
    PROMETHEUS_FOLDER,
    STATUS_FOLDER,
    TEMPORARY_FOLDER,
)
from mlops_assets.serving.environment import ADDRESS, ENDPOINT, HOST_NAME, MANIFEST, PORT

logger = logging.getLogger(__name__)


def prepare(endpoint: Path, manifest_file: Path) -> None:
    """Make the pod's folder look as a worker expects it; `DeploymentError` without a manifest."""
    from mlops_assets.records.serving import Manifest

    try:
        manifest = Manifest.read(manifest_file.read_bytes(), manifest_file.parents[1])
    except (OSError, ValueError) as err:
        raise DeploymentError(
            f"cannot read {manifest_file}: {err}. Is the claim mounted there? Deploy again."
        ) from err
    # What a container that ended here before has left; its counters start again from zero.
    shutil.rmtree(endpoint / PROMETHEUS_FOLDER, ignore_errors=True)
    for folder in (PROMETHEUS_FOLDER, TEMPORARY_FOLDER):
        (endpoint / folder).mkdir(parents=True, exist_ok=True)
    content = manifest.model_dump_json(indent=2)
    (endpoint / MANIFEST_FILE).write_text(content, encoding="utf-8")
    shared = Path(manifest.folder).parents[1]
    for name in (LOG_FOLDER, METRICS_FOLDER):
        link = endpoint / name
        if not link.is_symlink():
            link.symlink_to(shared / name, target_is_directory=True)


def host() -> str:
    """Every address of the pod, localhost among them; of IPv6 where the pod's own one is."""
    return "::" if ":" in os.environ[ADDRESS] else os.environ[HOST_NAME]


def main() -> None:
    """Serve until SIGTERM; ends with status 3 if the version cannot be served."""
    logging.basicConfig(format="%(asctime)s %(process)d %(name)s %(levelname)s %(message)s")
    endpoint = Path(os.environ[ENDPOINT])
    prepare(endpoint, Path(os.environ[MANIFEST]))
    # Only now: what it imports looks for the folders.
    from mlops_assets.serving.process.supervisor import listen
    from mlops_assets.serving.process.workers import serve_alone

    listener = listen(int(os.environ[PORT]), host())
    try:
        serve_alone(endpoint, listener)
    except SystemExit:  # uvicorn's way to say that the application did not start
        logger.error("the version cannot be served: %s", _why(endpoint))
        # At once, so that this stays the last line: libraries complain of leaks when they end.
        os._exit(3)


def _why(endpoint: Path) -> str:
    """What the worker reported of itself."""
    try:
        status = (endpoint / STATUS_FOLDER / f"{os.getpid()}.json").read_bytes()
        return str(json.loads(status)["error"])
    except (OSError, ValueError, KeyError):  # it did not come so far
        return "the lines above say why"


if __name__ == "__main__":
    main()
