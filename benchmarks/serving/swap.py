"""How fast a new version is live once its files are there."""

import json
import shutil
from pathlib import Path

from benchmarks.serving.model import Served
from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.records.files import SERVABLE_FILE
from mlops_assets.serving.version.model import read_servable
from resources.deployment import EndpointTargets
from tests.support.served.live_endpoints import free_port

SWAPS = 10
WORKERS = 2


def swap_seconds(served: Served) -> list[float]:
    """Deploy two versions in turn; each time from the manifest's writing to the last worker's swap.

    A worker swaps, then reports: so the age of the manifest in the newest report is what a client
    would have to wait for at most.
    """
    root = served.endpoint.parents[1] / "swaps"  # as in `servers.ours`
    endpoint = Path(shutil.copytree(served.endpoint, root / "flights"))
    _second_version(endpoint / "versions")
    local = EndpointTargets(root=str(root))
    settings = DeploymentSettings(port=free_port(), workers=WORKERS)
    local.redeploy("flights", 1, settings)
    try:
        return [_swap(local, 2 - number % 2, settings, endpoint) for number in range(SWAPS)]
    finally:
        local.stop("flights")


def _swap(
    local: EndpointTargets, version: int, settings: DeploymentSettings, endpoint: Path
) -> float:
    generation = local.redeploy("flights", version, settings).generation
    reports = list((endpoint / "status").glob("*.json"))
    live = [r for r in reports if json.loads(r.read_bytes())["generation"] == generation]
    wanted = (endpoint / "deployment.json").stat().st_mtime
    return max(report.stat().st_mtime for report in live) - wanted


def _second_version(versions: Path) -> None:
    shutil.copytree(versions / "1", versions / "2")
    second = read_servable(versions / "1").model_copy(update={"model_version": 2})
    (versions / "2" / SERVABLE_FILE).write_bytes(second.model_dump_json(indent=2).encode())
