"""Moving a model's champion: the one place that sets aliases in the registry.

The ledger is the truth, the aliases `champion` and `previous` follow it. MLflow has no
compare-and-set, so a lock for each model stands around every move. A process killed at any point
leaves either no row, or a row that the next `promote` or `reconcile` makes the aliases follow; what
serves is brought back to the ledger by `resources.champion.by_hand.Promotions.restore`.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import dagster as dg

from mlops_assets.errors import TrackingError
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.promotion import Move, Promotion
from mlops_assets.runtime.interrupts import uninterrupted
from resources.champion.ledger import PromotionLedger, require_head
from resources.champion.places import tell_places
from resources.champion.rollbacks import require_not_given_up
from resources.tracking.tracking import MLflowTracking

CHAMPION, PREVIOUS = "champion", "previous"
"""Aliases: the version that is deployed, and the one that was before."""

Edits = dict[str, tuple[int | None, int | None]]
"""Alias -> the version it stood at, and the version that the ledger says."""


@contextmanager
def promote(
    move: Move,
    expected_from: Promotion | None,
    *,
    tracking: MLflowTracking,
    ledger: PromotionLedger,
    require_wanted: Callable[[], None] = lambda: None,
) -> Generator[Callable[[], None]]:
    """Make a version the champion after the body made it live; record nothing if that raises.

    The body deploys, or does nothing. It gets what writes the row, for a deployer to call at the
    last moment at which it can still put back what served before; if it does not, that is done
    after it. It runs under the model's lock, so what serves and what the ledger says cannot cross.
    A move to the champion itself runs the body and adds no row. Before a model's first move, a
    champion older than the ledger becomes a row of its own.

    `expected_from` is what `ledger.head` answered when the move was decided; data version and git
    sha are added from the run that trained the version. `require_wanted` raises if nobody wants the
    move any more, and is called right before the row; no alias is moved before that.

    Raises:
        PromotionConflictError: Somebody moved the champion since; the body did not run.
        PromotionRefusedError: The gate would bring back what was rolled back; nor here.
        TrackingError: The registry has no such version; nor here.
    """
    with ledger.exclusive(move.model):
        head = ledger.head(move.model)
        if head is None and expected_from is None:
            head = expected_from = _adopt(move, tracking, ledger)
        _warn(move.model, follow(move.model, head, tracking))
        stays = head is not None and head == expected_from and head.to_version == move.to_version
        if not stays:
            require_head(move, head, expected_from)
            require_not_given_up(move, ledger.history(move.model), tracking)
            move = _described(move, tracking)
        rows: list[Promotion] = []

        def confirm() -> None:
            if not stays and not rows:
                require_wanted()
                rows.append(ledger.append(move, expected_from))

        yield confirm
        with uninterrupted():  # what was canceled before moves nothing, after that all
            confirm()
            if rows:
                follow(move.model, rows[0], tracking)
                tell_places(move.model, ledger.history(move.model), tracking)


def reconcile(model: str, *, tracking: MLflowTracking, ledger: PromotionLedger) -> Edits:
    """Make aliases and tags follow the ledger again; returns what stood elsewhere.

    A version that was deleted from the registry cannot be pointed at: it is returned each time.
    """
    with ledger.exclusive(model):
        edits = follow(model, ledger.head(model), tracking)
        tell_places(model, ledger.history(model), tracking)
        return edits


def follow(model: str, head: Promotion | None, tracking: MLflowTracking) -> Edits:
    """Set the aliases by the ledger's head; the caller holds the model's lock."""
    if head is None:
        return {}  # a registry older than its ledger keeps its aliases, until the first move
    edits: Edits = {}
    for alias, wanted in ((CHAMPION, head.to_version), (PREVIOUS, head.from_version)):
        found = tracking.registry.version_by_alias(model, alias)
        number = found.version if found else None
        if wanted is None or number == wanted:
            continue
        edits[alias] = (number, wanted)
        if version := tracking.registry.version(model, wanted):
            tracking.registry.set_alias(version, alias)
    return edits


def _adopt(move: Move, tracking: MLflowTracking, ledger: PromotionLedger) -> Promotion | None:
    """Record a champion that the registry had before the ledger; None if there is no other.

    Before the body runs: it was champion whether or not the move succeeds.
    """
    found = tracking.registry.version_by_alias(move.model, CHAMPION)
    if found is None or found.version == move.to_version:
        return None
    why = "adopted: the registry's champion before this ledger"
    adopted = Move(model=move.model, to_version=found.version, who=move.who, why=why)
    return ledger.append(_described(adopted, tracking), None)


def _warn(model: str, edits: Edits) -> None:
    for alias, (found, wanted) in edits.items():
        dg.get_dagster_logger().warning(
            f"alias {alias} of {model} stood at version {found}, the ledger says {wanted}: "
            "somebody edited it, or a promotion was killed; it follows the ledger again"
        )


def champion_of(
    model: str, tracking: MLflowTracking, ledger: PromotionLedger
) -> ModelVersion | None:
    """The ledger's champion; before its first move, the registry's.

    None if there is none, or the registry does not have it any more.
    """
    head = ledger.head(model)
    if head is None:
        return tracking.registry.version_by_alias(model, CHAMPION)
    return tracking.registry.version(model, head.to_version)


def _described(move: Move, tracking: MLflowTracking) -> Move:
    version = registered(move.model, move.to_version, tracking)
    data_version, git_sha = origin(tracking.run_of(version).tags())
    return move.model_copy(update={"data_version": data_version, "git_sha": git_sha})


def registered(model: str, number: int, tracking: MLflowTracking) -> ModelVersion:
    """A version that must be in the registry; raises if it is not, or not any more."""
    version = tracking.registry.version(model, number)
    if version is None:
        raise TrackingError(
            f"the registry has no version {number} of {model}; see its versions in the MLflow UI"
        )
    return version


def origin(tags: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Data version (DVC md5) and git commit, of the tags of the run that trained a version."""
    return tags.get("dvc/md5"), tags.get("git/sha") or tags.get("mlflow.source.git.commit")
