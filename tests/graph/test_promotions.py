"""Moves of the champion: recorded, followed by the aliases, repaired after a kill; on fakes."""

from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import pytest

from mlops_assets.cli.promotions import parse_moment, said_as_of, said_history, said_move
from mlops_assets.config import ModelSettings
from mlops_assets.errors import (
    ConfigError,
    DeploymentError,
    PromotionConflictError,
    PromotionRefusedError,
    TrackingError,
)
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.promotion import Move
from resources.ledger import PromotionLedger
from resources.promotions import Promotions
from resources.registry import promote, reconcile
from tests.fakes import FakeTracking
from tests.graph.test_pipeline import build, checks, failure, materialize, materialized


class Killed(BaseException):
    """What no `except Exception` stops."""


class DyingTracking(FakeTracking):
    """Dies instead of, or right after, setting one alias."""

    dies_at: ClassVar[tuple[str, str]] = ("", "")

    def set_alias(self, model: ModelVersion, alias: str) -> None:
        if self.dies_at == (alias, "before"):
            raise Killed
        super().set_alias(model, alias)
        if self.dies_at == (alias, "after"):
            raise Killed


@pytest.fixture
def ledger(tmp_path: Path) -> PromotionLedger:
    return PromotionLedger(path=str(tmp_path / "ledger.db"))


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DyingTracking:
    """A registry of five versions."""
    monkeypatch.setattr(DyingTracking, "dies_at", ("", ""))
    tracking = DyingTracking(tracking_uri="memory:", artifacts=str(tmp_path / "artifacts"))
    for number in range(1, 6):
        with tracking.run("shop", {"dvc/md5": f"md5-{number}", "git/sha": f"sha-{number}"}):
            tracking.register(b"")
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
    monkeypatch.setattr(DyingTracking, "dies_at", (alias, moment))
    with pytest.raises(Killed):
        move_to(3, tracking, ledger)
    monkeypatch.setattr(DyingTracking, "dies_at", ("", ""))

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
    with pytest.raises(PromotionRefusedError, match=r"given up by ada.*too slow.*--to 1"):
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


def test_an_alias_edited_by_hand_is_reported_and_put_back(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(settings, resources, instance)
    assert checks(materialize(settings, resources, instance))["alias_follows_the_ledger"]
    aliases = resources["tracking"].server.aliases
    aliases["champion"] = 1

    failed = evaluate_check(settings, resources, instance)

    assert not failed.passed
    assert failed.severity is dg.AssetCheckSeverity.WARN
    assert failed.metadata["edited"].value == "champion: 1, ledger: 2"
    assert aliases == {"champion": 2, "previous": 1}
    assert evaluate_check(settings, resources, instance).passed


def evaluate_check(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> dg.AssetCheckEvaluation:
    key = dg.AssetCheckKey(dg.AssetKey(["loans", "deployed_endpoint"]), "alias_follows_the_ledger")
    definitions = build(settings, resources)
    job = dg.define_asset_job("check", selection=dg.AssetSelection.checks(key))
    merged = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
    result = merged.resolve_job_def("check").execute_in_process(instance=instance)
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


@pytest.fixture
def promotions(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> Promotions:
    """Three versions were deployed, one after the other."""
    for _ in range(3):
        materialize(settings, resources, instance)
    names = ("tracking", "ledger", "deployment")
    return Promotions("loans", settings.deployment, *(resources[name] for name in names))


def test_rollbacks_go_further_back_each_time(promotions: Promotions) -> None:
    for expected in (2, 1):
        said = said_move(promotions.roll_back(None, "worse", "ada"))
        assert said.startswith(f"loans: version {expected} at http://127.0.0.1:18200, champion")
        live = promotions.deployment.status("loans")
        assert live is not None
        assert live.model_version == expected
    with pytest.raises(PromotionRefusedError, match="no earlier champion"):
        promotions.roll_back(None, "", "ada")
    assert promotions.tracking.version_by_alias("loans", "champion").version == 1


def test_a_rolled_back_version_is_not_deployed_again_by_the_graph(
    promotions: Promotions,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    promotions.roll_back(1, "", "ada")
    result = materialize(settings, resources, instance, ["deployed_endpoint"])
    assert materialized(result) == []
    assert "PromotionRefusedError: version 3 of loans was given up" in failure(result)
    live = promotions.deployment.status("loans")
    assert live is not None
    assert live.model_version == 1


def test_a_version_without_files_is_refused(promotions: Promotions) -> None:
    before = promotions.ledger.history("loans")
    with promotions.tracking.run("loans", {}):
        promotions.tracking.register(b"")  # registered, never deployed
    with pytest.raises(DeploymentError, match=r"version 4 was never deployed.*\[1, 2, 3\]"):
        promotions.roll_back(4, "", "ada")
    with pytest.raises(TrackingError, match="no version 9"):
        promotions.promote(9, "x", "ada")
    assert promotions.ledger.history("loans") == before


def test_what_a_killed_promotion_left_serving_is_brought_back(promotions: Promotions) -> None:
    # Killed after the swap, before the row.
    promotions.deployment.redeploy("loans", 1, promotions.settings)

    restored = promotions.restore()

    assert restored is not None
    assert restored.model_version == promotions.deployment.status("loans").model_version == 3
    assert promotions.restore() is None
    promotions.deployment.stop("loans")
    assert promotions.restore().model_version == 3, "one that is down is started"


def test_before_the_first_move_there_is_nothing_to_restore(
    settings: ModelSettings, resources: dict[str, Any]
) -> None:
    parts = (resources[name] for name in ("tracking", "ledger", "deployment"))
    assert Promotions("loans", settings.deployment, *parts).restore() is None


def test_the_jobs_move_the_champion_and_say_who_and_why(
    promotions: Promotions,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    def launch(job: str, **config: object) -> dg.ExecuteInProcessResult:
        found = build(settings, resources).resolve_job_def(f"loans_{job}")
        ops = {found.nodes[0].name: {"config": config}}
        return found.execute_in_process({"ops": ops}, instance=instance, raise_on_error=False)

    back = launch("rollback", why="too  slow")
    forth = launch("promotion", version=3, why="faster machine")

    moves = [(p.to_version, p.who, p.why) for p in promotions.ledger.history("loans")][3:]
    assert moves == [
        (2, back.run_id, "rollback: too slow"),
        (3, forth.run_id, "manual: faster machine"),
    ]
    assert promotions.deployment.status("loans").model_version == 3
    (seen,) = [e.asset_observation_data for e in back.all_events if e.is_asset_observation]
    assert seen.asset_observation.metadata["version"].value == 2
    refused = launch("promotion", version=9, why="x")
    assert "no version 9 of loans" in failure(refused)


def test_history_is_a_table(promotions: Promotions) -> None:
    promotions.promote(1, "the others are worse", "ada")
    ledger = promotions.ledger
    head, *rows = said_history("loans", ledger).splitlines()
    assert head.split() == ["when", "(UTC)", "version", "who", "why"]
    assert [row[21:27] for row in rows] == ["- -> 1", "1 -> 2", "2 -> 3", "3 -> 1"]
    assert rows[-1].endswith("manual: the others are worse")

    later = said_as_of("loans", "2999-01-01", ledger)
    assert "version 1 at 2999-01-01 23:59:59 UTC, champion since" in later
    assert (
        said_as_of("loans", "2020-01-01", ledger) == "loans: no champion at 2020-01-01 23:59:59 UTC"
    )


def test_moments() -> None:
    assert parse_moment("2026-03-03").isoformat() == "2026-03-03T23:59:59.999999+00:00"
    assert parse_moment("2026-03-03T12:00").isoformat() == "2026-03-03T12:00:00+00:00"
    assert parse_moment("2026-03-03T12:00+02:00").isoformat() == "2026-03-03T12:00:00+02:00"
    with pytest.raises(ConfigError, match="yesterday"):
        parse_moment("yesterday")
