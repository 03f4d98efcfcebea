"""Moves of the champion: recorded, followed by the aliases, repaired after a kill; on fakes."""

from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.errors import (
    DeploymentError,
    PromotionConflictError,
    PromotionRefusedError,
    TrackingError,
)
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.promotion import Move
from resources.champion.aliases import promote, reconcile
from resources.champion.ledger import PromotionLedger
from tests.support.fakes.tracking import FakeRegistry, FakeTracking
from tests.support.runs.pipeline_runs import materialize


class Killed(BaseException):
    """What no `except Exception` stops."""


class DyingRegistry(FakeRegistry):
    """Dies instead of, or right after, setting one alias."""

    dies_at: ClassVar[tuple[str, str]] = ("", "")

    def set_alias(self, model: ModelVersion, alias: str) -> None:
        if self.dies_at == (alias, "before"):
            raise Killed
        super().set_alias(model, alias)
        if self.dies_at == (alias, "after"):
            raise Killed


class DyingTracking(FakeTracking):
    registry_class = DyingRegistry


@pytest.fixture
def ledger(tmp_path: Path) -> PromotionLedger:
    return PromotionLedger(database=str(tmp_path / "ledger.db"))


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DyingTracking:
    """A registry of five versions."""
    monkeypatch.setattr(DyingRegistry, "dies_at", ("", ""))
    tracking = DyingTracking(tracking_uri="memory:", artifacts=str(tmp_path / "artifacts"))
    for number in range(1, 6):
        with tracking.run("shop", {"dvc/md5": f"md5-{number}", "git/sha": f"sha-{number}"}) as run:
            run.register(b"")
    return tracking


def move_to(
    version: int, tracking: FakeTracking, ledger: PromotionLedger, why: str = "gate"
) -> None:
    move = Move(model="shop", to_version=version, who="ada", why=why)
    with promote(move, ledger.head("shop"), tracking=tracking, ledger=ledger):
        pass


def test_the_aliases_follow_the_ledger(tracking: DyingTracking, ledger: PromotionLedger) -> None:
    move_to(1, tracking, ledger)
    assert tracking.server.aliases == {"champion": 1}
    move_to(3, tracking, ledger)
    assert tracking.server.aliases == {"champion": 3, "previous": 1}
    head = ledger.head("shop")
    assert head is not None
    assert (head.data_version, head.git_sha) == ("md5-3", "sha-3"), "of the run that trained it"


def test_a_body_that_fails_moves_nothing(tracking: DyingTracking, ledger: PromotionLedger) -> None:
    move = Move(model="shop", to_version=1, who="ada", why="gate")
    with (
        pytest.raises(DeploymentError),
        promote(move, None, tracking=tracking, ledger=ledger),
    ):
        raise DeploymentError
    assert ledger.history("shop") == []
    assert tracking.server.aliases == {}


@pytest.mark.parametrize("asked_by", ["the deployer", "nobody"])
def test_what_nobody_wants_any_more_is_no_move(
    tracking: DyingTracking, ledger: PromotionLedger, asked_by: str
) -> None:
    def require_wanted() -> None:
        raise KeyboardInterrupt

    def move() -> None:
        to_first = Move(model="shop", to_version=1, who="ada", why="gate")
        with promote(
            to_first, None, tracking=tracking, ledger=ledger, require_wanted=require_wanted
        ) as confirm:
            if asked_by == "the deployer":
                confirm()

    with pytest.raises(KeyboardInterrupt):
        move()
    assert ledger.history("shop") == []
    assert tracking.server.aliases == {}


def test_the_row_stands_before_the_deployer_lets_go(
    tracking: DyingTracking, ledger: PromotionLedger
) -> None:
    move = Move(model="shop", to_version=1, who="ada", why="gate")
    with promote(move, None, tracking=tracking, ledger=ledger) as confirm:
        confirm()
        assert [p.to_version for p in ledger.history("shop")] == [1]
        assert tracking.server.aliases == {}
    assert [p.to_version for p in ledger.history("shop")] == [1]
    assert tracking.server.aliases == {"champion": 1}


def test_a_version_the_registry_does_not_have_is_refused(
    tracking: DyingTracking, ledger: PromotionLedger
) -> None:
    with pytest.raises(TrackingError, match="no version 9 of shop"):
        move_to(9, tracking, ledger)
    assert ledger.history("shop") == []


def test_a_stale_decision_is_refused_before_anything_is_deployed(
    tracking: DyingTracking, ledger: PromotionLedger
) -> None:
    move_to(1, tracking, ledger)
    ran = []
    move = Move(model="shop", to_version=2, who="bob", why="gate")
    with (
        pytest.raises(PromotionConflictError, match="decide again"),
        promote(move, None, tracking=tracking, ledger=ledger),
    ):
        ran.append(True)
    assert not ran


@pytest.mark.parametrize("alias", ["champion", "previous"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("repair", ["reconcile", "same", "next", "conflict"])
def test_what_a_kill_left_is_repaired_by_the_next_call(
    tracking: DyingTracking,
    ledger: PromotionLedger,
    monkeypatch: pytest.MonkeyPatch,
    alias: str,
    moment: str,
    repair: str,
) -> None:
    move_to(1, tracking, ledger)
    move_to(2, tracking, ledger)
    monkeypatch.setattr(DyingRegistry, "dies_at", (alias, moment))
    with pytest.raises(Killed):
        move_to(3, tracking, ledger)
    monkeypatch.setattr(DyingRegistry, "dies_at", ("", ""))

    if repair == "reconcile":
        reconcile("shop", tracking=tracking, ledger=ledger)
    elif repair == "conflict":
        stale = Move(model="shop", to_version=4, who="bob", why="gate")
        with (
            pytest.raises(PromotionConflictError),
            promote(stale, None, tracking=tracking, ledger=ledger),
        ):
            pass
    else:
        move_to(3 if repair == "same" else 4, tracking, ledger)

    head = ledger.head("shop")
    assert head is not None
    assert head.to_version == (4 if repair == "next" else 3)
    expected = {"champion": head.to_version, "previous": head.from_version}
    assert tracking.server.aliases == expected
    assert reconcile("shop", tracking=tracking, ledger=ledger) == {}
    assert [p.to_version for p in ledger.history("shop")][:3] == [1, 2, 3], "and nothing twice"


def test_a_champion_deleted_from_the_registry_does_not_stop_the_next(
    tracking: DyingTracking, ledger: PromotionLedger
) -> None:
    move_to(1, tracking, ledger)
    move_to(5, tracking, ledger)
    tracking.server.models.pop()
    del tracking.server.aliases["champion"]
    assert reconcile("shop", tracking=tracking, ledger=ledger) == {"champion": (None, 5)}
    move_to(2, tracking, ledger)
    assert tracking.server.aliases["champion"] == 2


def test_a_champion_older_than_the_ledger_is_adopted(
    tracking: DyingTracking, ledger: PromotionLedger
) -> None:
    tracking.server.aliases["champion"] = 2
    reconcile("shop", tracking=tracking, ledger=ledger)
    assert ledger.history("shop") == [], "looking is no move"
    move_to(4, tracking, ledger)
    adopted, moved = ledger.history("shop")
    assert (adopted.from_version, adopted.to_version, adopted.who) == (None, 2, "ada")
    assert adopted.why == "adopted: the registry's champion before this ledger"
    assert adopted.data_version == "md5-2"
    assert (moved.from_version, moved.to_version, moved.why) == (2, 4, "gate")
    assert tracking.server.aliases == {"champion": 4, "previous": 2}
    move_to(2, tracking, ledger, "rollback")


def test_a_first_move_to_the_old_champion_itself_is_one_row(
    tracking: DyingTracking, ledger: PromotionLedger
) -> None:
    tracking.server.aliases["champion"] = 2
    move_to(2, tracking, ledger)
    assert [(p.to_version, p.why) for p in ledger.history("shop")] == [(2, "gate")]


def test_an_adoption_stays_when_the_move_fails(
    tracking: DyingTracking, ledger: PromotionLedger
) -> None:
    tracking.server.aliases["champion"] = 2
    move = Move(model="shop", to_version=4, who="ada", why="gate")
    with pytest.raises(DeploymentError), promote(move, None, tracking=tracking, ledger=ledger):
        raise DeploymentError
    assert [p.to_version for p in ledger.history("shop")] == [2]
    assert tracking.server.aliases == {"champion": 2}
    move_to(4, tracking, ledger)
    assert [p.to_version for p in ledger.history("shop")] == [2, 4]


def test_the_gate_does_not_bring_back_what_was_given_up(
    tracking: DyingTracking, ledger: PromotionLedger
) -> None:
    move_to(1, tracking, ledger)
    move_to(2, tracking, ledger)
    move_to(1, tracking, ledger, "rollback: too slow")
    with pytest.raises(PromotionRefusedError, match=r"given up by ada.*too slow.*promote shop 2"):
        move_to(2, tracking, ledger)
    move_to(2, tracking, ledger, "manual: faster machine")
    move_to(3, tracking, ledger)
    move_to(2, tracking, ledger)
    assert tracking.server.aliases["champion"] == 2


def test_a_deployment_is_a_row_of_the_ledger(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    result = materialize(settings, resources, instance)
    (row,) = resources["ledger"].history("loans")
    assert (row.from_version, row.to_version, row.why) == (None, 1, "gate")
    assert row.who == result.run_id
    assert row.evaluation["metrics"]["roc_auc"] > 0.7
    run = resources["tracking"].server.runs["run-1"]
    assert row.data_version == run["tags"]["dvc/md5"]

    again = materialize(settings, resources, instance, ["deployed_endpoint"])
    assert again.success
    assert resources["ledger"].history("loans") == [row], "no move, no row"

    materialize(settings, resources, instance)
    assert [p.to_version for p in resources["ledger"].history("loans")] == [1, 2]
    assert resources["tracking"].server.aliases == {"champion": 2, "previous": 1}
