"""What the processes of `test_promotions` do on a real MLflow store; started by file name.

`race WHO A B`: at the word of the parent, promote A, or B where A is champion.
`die VERSION POINT`: promote VERSION and be killed at POINT.
`deploy`: line by line, `VERSION POINT` on stdin: a child deploys and promotes as `die`.
"""

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import ClassVar

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import PromotionConflictError
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.promotion import Move, Promotion
from mlops_assets.records.serving import Manifest, OnlineFeatures
from resources.champion.aliases import promote
from resources.champion.ledger import PromotionLedger
from resources.deployment import EndpointTargets
from resources.endpoints.folder import EndpointFolder
from resources.tracking.registry import MLflowRegistry
from resources.tracking.tracking import MLflowTracking
from tests.support.served.served_models import build

MODEL = "shop"
ALIAS_POINTS = ("before champion", "after champion", "before previous", "after previous")
MANIFEST_POINTS = ("before manifest", "after manifest", "before verified", "after verified")
POINTS = (*MANIFEST_POINTS, "before append", *ALIAS_POINTS)
"""In the order of a promotion: the endpoint is swapped, the row written, the aliases set."""


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingRegistry(MLflowRegistry):
    """Killed before or after it sets an alias."""

    point: ClassVar[str] = ""

    def set_alias(self, model: ModelVersion, alias: str) -> None:
        if self.point == f"before {alias}":
            kill()
        super().set_alias(model, alias)
        if self.point == f"after {alias}":
            kill()


class DyingTracking(MLflowTracking):
    """Whose registry is mortal."""

    @property
    def registry(self) -> DyingRegistry:
        return DyingRegistry(self.store)


class DyingLedger(PromotionLedger):
    """Killed after the body, with no row written yet."""

    point: ClassVar[str] = ""

    def append(self, move: Move, expected_from: Promotion | None) -> Promotion:
        if self.point == "before append":
            kill()
        return super().append(move, expected_from)


class DyingFolder(EndpointFolder):
    """Killed before or after it writes the manifest, or marks it as verified."""

    point: ClassVar[str] = ""

    def _write(self, name: str, manifest: Manifest) -> None:
        what = "verified" if name == "verified.json" else "manifest"
        if self.point == f"before {what}":
            kill()
        super()._write(name, manifest)
        if self.point == f"after {what}":
            kill()


class DyingBento(EndpointTargets):
    """An endpoint whose folder is mortal."""

    def _folder(self, name: str) -> EndpointFolder:
        return DyingFolder(super()._folder(name).path)


def stores(folder: Path, point: str = "") -> tuple[MLflowTracking, PromotionLedger]:
    DyingRegistry.point = DyingLedger.point = point
    uri, artifacts = f"sqlite:///{folder / 'mlflow.db'}", str(folder / "artifacts")
    tracking = DyingTracking(tracking_uri=uri, artifacts=artifacts)
    return tracking, DyingLedger(database=str(folder / "ledger.db"))


def move_to(
    version: int,
    head: Promotion | None,
    stores: tuple[MLflowTracking, PromotionLedger],
    who: str = "test",
) -> bool:
    """Promote; False where somebody else did in the meantime."""
    move = Move(model=MODEL, to_version=version, who=who, why="gate")
    try:
        with promote(move, head, tracking=stores[0], ledger=stores[1]):
            pass
    except PromotionConflictError:
        return False
    return True


def deploy_and_move(
    version: int,
    folder: Path,
    online: OnlineFeatures,
    settings: DeploymentSettings,
    point: str = "",
) -> None:
    """A promotion with its deployment, as `deployed_endpoint` does it."""
    tracking, ledger = stores(folder, point)
    DyingFolder.point = point
    deployer = DyingBento(root=str(folder / "endpoints"))
    kept = (folder / "endpoints" / MODEL / "versions" / str(version)).exists()
    move = Move(model=MODEL, to_version=version, who="test", why="gate")
    with promote(move, ledger.head(MODEL), tracking=tracking, ledger=ledger):
        if kept:
            deployer.redeploy(MODEL, version, settings)
        else:
            built = build(folder / "built", version=version, name=MODEL)
            deployer.deploy(built.servable, built.model_file, built.recorded, online, settings)


def deploy(folder: Path) -> None:
    """Line by line, so that the libraries are imported once; `stores` is opened in the child."""
    for name in ("mlflow", "sklearn.ensemble", "skops.io"):
        importlib.import_module(name)
    online = OnlineFeatures.model_validate_json((folder / "online.json").read_bytes())
    settings = DeploymentSettings.model_validate_json((folder / "settings.json").read_bytes())
    tell("ready")
    for line in sys.stdin:
        version, point = line.split(maxsplit=1)
        if not (child := os.fork()):
            deploy_and_move(int(version), folder, online, settings, point.strip())
            os._exit(0)
        tell(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def race(folder: Path, who: str, first: int, second: int) -> None:
    """Line by line: what the parent says on stdin, and our answer.

    `look`: read the head; `go`: promote what was decided on it.
    """
    both = stores(folder)
    both[0].registry.version_by_alias(MODEL, "champion")  # loads MLflow
    head = None
    tell("ready")
    for line in sys.stdin:
        if line.strip() == "look":
            head = both[1].head(MODEL)
            tell("looked")
        else:
            wanted = second if head and head.to_version == first else first
            tell("won" if move_to(wanted, head, both, who) else "lost")


if __name__ == "__main__":
    state, verb = Path(sys.argv[1]), sys.argv[2]
    if verb == "race":
        race(state, sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    elif verb == "deploy":
        deploy(state)
    else:
        mortal = stores(state, sys.argv[4])
        move_to(int(sys.argv[3]), mortal[1].head(MODEL), mortal)
