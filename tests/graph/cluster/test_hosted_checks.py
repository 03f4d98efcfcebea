"""Which checks run in their asset's pod, and when the executor hears of them."""

import dagster as dg
from dagster import AssetCheckResult

from resources.cluster.runs.checks import HostedChecks, hosts_of
from tests.support.runs.dagster_internals import create_execution_plan


@dg.asset
def first() -> int:
    return 1


@dg.asset
def second(first: int) -> int:
    return first


@dg.asset
def beside() -> int:
    return 1


@dg.asset_check(asset=second)
def is_good(second: int) -> AssetCheckResult:
    return AssetCheckResult(passed=second == 1)


@dg.asset_check(asset=second, additional_ins={"first": dg.AssetIn("first")})
def is_as_first(second: int, first: int) -> AssetCheckResult:
    return AssetCheckResult(passed=second == first)


@dg.asset_check(asset=second, additional_ins={"beside": dg.AssetIn("beside")})
def is_as_beside(second: int, beside: int) -> AssetCheckResult:
    return AssetCheckResult(passed=second == beside)


def hosts(selection: dg.AssetSelection) -> dict[str, str]:
    definitions = dg.Definitions(
        assets=[first, second, beside],
        asset_checks=[is_good, is_as_first, is_as_beside],
        jobs=[dg.define_asset_job("all_of_it", selection)],
    )
    return hosts_of(create_execution_plan(definitions.resolve_job_def("all_of_it")))


def test_a_check_that_needs_what_runs_elsewhere_has_a_pod_of_its_own() -> None:
    assert hosts(dg.AssetSelection.all()) == {
        "second_is_good": "second",
        "second_is_as_first": "second",
    }


def test_a_check_without_its_asset_has_a_pod_of_its_own() -> None:
    checks = dg.AssetSelection.checks_for_assets(second)
    assert hosts(checks) == {}


def event(step: str, kind: dg.DagsterEventType) -> dg.DagsterEvent:
    return dg.DagsterEvent(kind.value, "job", step_key=step)


def test_the_executor_hears_of_a_check_when_it_has_come_to_start_it() -> None:
    checks, known = HostedChecks(), {"good": "made"}
    assert checks.start("made", known) == ["made", "good"]
    made = event("made", dg.DagsterEventType.STEP_START)
    good = event("good", dg.DagsterEventType.STEP_START)
    assert checks.sift([made, good]) == [made]
    assert checks.start("good", known) == []
    assert checks.sift([]) == [good]
    assert checks.start("good", known) == ["good"]  # again, by itself


def test_of_an_asset_that_another_process_started_its_pod_has_the_checks() -> None:
    checks, known = HostedChecks(), {"good": "made"}
    checks.take_up("made", known, alone=True)
    good = event("good", dg.DagsterEventType.STEP_START)
    assert checks.sift([good]) == []
    assert checks.start("good", known) == []
    assert checks.sift([]) == [good]


def test_a_check_that_another_process_started_is_in_its_assets_pod_or_has_its_own() -> None:
    checks, known = HostedChecks(), {"good": "made", "fair": "made"}
    checks.take_up("good", known, alone=False)
    checks.take_up("fair", known, alone=True)
    assert checks.hosts == {"good": "made"}
    good = event("good", dg.DagsterEventType.STEP_RESTARTED)
    assert checks.sift([good]) == [good]
    assert checks.start("good", known) == ["good"], "its asset's pod has ended before it"


def test_what_is_no_check_of_a_pod_passes() -> None:
    other = event("other", dg.DagsterEventType.STEP_START)
    assert HostedChecks().sift([other]) == [other]
