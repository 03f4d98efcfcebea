"""The champion moved by hand, edited by hand, or left behind by a kill: said, and brought back."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from jobs.promotion import events
from mlops_assets.cli.endpoints import status_line
from mlops_assets.cli.promotions import announce, parse_moment, said_as_of, said_history, said_move
from mlops_assets.cli.runs.freshness import stale_assets
from mlops_assets.config import ModelSettings
from mlops_assets.errors import (
    ConfigError,
    DeploymentError,
    PromotionRefusedError,
    TrackingError,
)
from resources.champion.by_hand import Promotions
from tests.support.runs.pipeline_runs import (
    STAGES,
    build,
    checks,
    failure,
    materialize,
    materialized,
)


def test_an_alias_edited_by_hand_is_reported_and_put_back(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(settings, resources, instance)
    assert checks(materialize(settings, resources, instance))["alias_follows_the_ledger"]
    aliases = resources["tracking"].server.aliases
    aliases["champion"] = 1

    failed = evaluate_check("alias_follows_the_ledger", settings, resources, instance)

    assert not failed.passed
    assert failed.severity is dg.AssetCheckSeverity.WARN
    assert failed.metadata["edited"].value == "champion: 1, ledger: 2"
    assert aliases == {"champion": 2, "previous": 1}
    assert evaluate_check("alias_follows_the_ledger", settings, resources, instance).passed


def evaluate_check(
    name: str, settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> dg.AssetCheckEvaluation:
    key = dg.AssetCheckKey(dg.AssetKey(["loans", "deployed_endpoint"]), name)
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
    for stages in (STAGES, STAGES[3:], STAGES[3:]):
        materialize(settings, resources, instance, stages)
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
    assert promotions.tracking.registry.version_by_alias("loans", "champion").version == 1


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
    with promotions.tracking.run("loans", {}) as run:
        run.register(b"")  # registered, never deployed
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


def test_an_endpoint_that_left_the_ledger_is_reported_and_a_rollback_is_not(
    promotions: Promotions,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    promotions.roll_back(1, "", "ada")
    assert evaluate_check("endpoint_is_live", settings, resources, instance).passed
    promotions.deployment.redeploy("loans", 2, promotions.settings)
    failed = evaluate_check("endpoint_is_live", settings, resources, instance)
    assert not failed.passed
    assert failed.metadata["served_version"].value == 2
    assert failed.metadata["champion"].value == 1


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
    shown = instance.get_latest_materialization_event(dg.AssetKey(["loans", "deployed_endpoint"]))
    assert shown.asset_materialization.metadata["version"].value == 3, "what the asset's page shows"
    refused = launch("promotion", version=9, why="x")
    assert "no version 9 of loans" in failure(refused)


def test_the_status_says_when_another_version_than_the_champion_serves(
    promotions: Promotions,
) -> None:
    said, serves = status_line(promotions.deployment, promotions.ledger, "loans")
    assert (said, serves) == ("loans: version 3 at http://127.0.0.1:18200", True)
    promotions.deployment.redeploy("loans", 1, promotions.settings)  # and killed before the row
    said, serves = status_line(promotions.deployment, promotions.ledger, "loans")
    assert "version 1 at http://127.0.0.1:18200, but the champion is 3" in said
    assert not serves
    promotions.deployment.stop("loans")
    assert status_line(promotions.deployment, promotions.ledger, "loans") == ("loans: -", False)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The DAGSTER_HOME of the command line."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    return folder


def test_a_move_by_the_command_line_is_the_event_that_a_job_leaves(
    promotions: Promotions, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    announce(promotions.roll_back(None, "", "ada"), give_up=True)
    announce(promotions.promote(1, "smaller", "ada"), give_up=False)

    with dg.DagsterInstance.from_config(str(home)) as instance:
        key = dg.AssetKey(["loans", "deployed_endpoint"])
        newest = instance.fetch_observations(key, limit=5).records
        shown = instance.get_latest_materialization_event(key).asset_materialization.metadata
    found = [record.asset_observation.metadata for record in newest]
    assert [(m["version"].value, m["before"].value) for m in found] == [(1, 2), (2, 3)]
    assert shown["version"].value == 1, "what the asset's page shows"
    assert "in flight" not in capsys.readouterr().err


def test_a_rollback_names_the_training_in_flight_and_what_becomes_of_it(
    promotions: Promotions,
    home: Path,
    settings: ModelSettings,
    resources: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = build(settings, resources).resolve_job_def("loans_training")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    announce(promotions.roll_back(None, "", "ada"), give_up=True)
    said = capsys.readouterr().err
    assert run.run_id in said
    assert "settings of version 3, its version will be refused" in said


def test_a_move_makes_nothing_fresh_and_nothing_stale(
    promotions: Promotions,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    specs = build(settings, resources).resolve_all_asset_specs()
    assert stale_assets(instance, specs) == {}
    materialize(settings, resources, instance, ["features"])
    before = stale_assets(instance, specs)
    assert promotions.tracking.registry.version("loans", 3)
    moved = promotions.roll_back(None, "", "ada")
    for event in events(instance, moved.endpoint, moved.before):
        instance.report_runless_asset_event(event)
    assert stale_assets(instance, specs) == before


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
    assert "version 1 at 2999-01-01 10:00:00 UTC" in said_as_of(
        "loans", "2999-01-01T12:00+02:00", ledger
    )
    early = said_as_of("loans", "2020-01-01T01:00+02:00", ledger)
    assert early == "loans: no champion at 2019-12-31 23:00:00 UTC"


def test_moments() -> None:
    assert parse_moment("2026-03-03").isoformat() == "2026-03-03T23:59:59.999999+00:00"
    assert parse_moment("2026-03-03T12:00").isoformat() == "2026-03-03T12:00:00+00:00"
    assert parse_moment("2026-03-03T12:00+02:00").isoformat() == "2026-03-03T12:00:00+02:00"
    with pytest.raises(ConfigError, match="yesterday"):
        parse_moment("yesterday")
    with pytest.raises(ConfigError, match="0001-01-01"):
        parse_moment("0001-01-01T00:00+02:00")
