"""Drift through the assets: calm, drifted, broken upstream; and what a drift sets in motion."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrackingError
from mlops_assets.keys import asset_key
from mlops_assets.monitoring.live_window import stored_profile
from mlops_assets.records.files import PROFILE_FILE
from resources.decisions import DecisionStore
from sensors.retraining import tick
from tests.support.runs.pipeline_runs import build, checks, materialize, metadata
from tests.support.served.live_rows import chances, predictions, stored_features

DAY = pd.Timedelta(days=1)


class Watch:
    """A model whose log is written by hand, and whose drift is looked at by its job."""

    def __init__(
        self, settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
    ) -> None:
        self.settings, self.resources, self.instance = settings, resources, instance

    def deploy(self) -> pd.DataFrame:
        """From the source to the endpoint; the rows that its reference profile is made of."""
        assert materialize(self.settings, self.resources, self.instance).success
        frame = stored_features(self.resources)
        return frame[frame["event_timestamp"] > frame["event_timestamp"].max() - 90 * DAY]

    def log(self, rows: pd.DataFrame, day: int, *, shift: Any = 0.0) -> None:
        """A day of requests like `rows`, answered likewise, but for a shifted amount."""
        logged = predictions(rows, chances(rows))
        moment = pd.Timestamp("2025-01-01", tz="UTC") + day * DAY
        logged["event_time"] = logged["features_as_of"] = logged["logged_at"] = moment
        logged["request_id"] = [f"{day}-{i}" for i in range(len(logged))]
        logged["feature_amount"] += shift
        self.resources["predictions"].add("loans", logged)

    def report(self, **config: bool) -> dict[str, Any]:
        """What `drift_report` says, and whether its check passed."""
        job = build(self.settings, self.resources).resolve_job_def("loans_monitoring")
        stages = ("prediction_log", "drift_report")
        result = job.execute_in_process(
            instance=self.instance,
            asset_selection=[asset_key("loans", stage) for stage in stages],
            run_config={"ops": {"loans__drift_report": {"config": config}}},
        )
        passed = checks(result)["features_have_not_drifted"]
        return {**metadata(result, "loans", "drift_report"), "passed": passed}

    def otherwise(self, **drift: Any) -> "Watch":
        """The same with other settings of drift."""
        values = self.settings.model_dump()
        values["monitoring"]["drift"] |= drift
        return Watch(ModelSettings.model_validate(values), self.resources, self.instance)

    def page(self, found: dict[str, Any]) -> str:
        """Evidently's page behind the link that the UI shows, as the version's run keeps it."""
        address, _, view = found["evidently"].rpartition("(")[2].rstrip(")").partition("?")
        run, page = address.split("/artifacts/")
        tracking = self.resources["tracking"]
        version = tracking.registry.version("loans", 1)
        assert f"{run}?{view}" == tracking.links(version)["mlflow_run"]
        return tracking.run_of(version).read_text(page)


@pytest.fixture
def watch(loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance) -> Watch:
    retrain = {
        "drift": {"windows": 2, "enter": 2, "leave": 0},
        "on_drift": "train",
        "on_new_data": "signal",
        "cooldown": "1s",
    }
    monitoring = {"window": "1d", "drift": {"min_rows": 50}, "retrain": retrain}
    settings = ModelSettings.model_validate({**loans, "monitoring": monitoring})
    return Watch(settings, resources, instance)


@pytest.fixture
def held_out(watch: Watch) -> pd.DataFrame:
    return watch.deploy()


@pytest.mark.usefixtures("drawn")
def test_the_reference_itself_is_calm(watch: Watch, held_out: pd.DataFrame) -> None:
    watch.log(held_out, 0)
    found = watch.report()
    assert (found["verdict"], found["passed"]) == ("calm", True)
    assert "evidently" not in found
    assert "data:image/png" in found["plots"]


@pytest.mark.usefixtures("drawn")
def test_a_shift_is_reported_drawn_and_measured(watch: Watch, held_out: pd.DataFrame) -> None:
    watch.log(held_out, 0, shift=40.0)
    found = watch.report()
    assert (found["verdict"], found["passed"]) == ("drifted", False)
    assert found["drifted_columns"] == "amount"
    assert "amount" in watch.page(found)
    gauges = Path(watch.resources["metrics"].root, "loans", "metrics", "drift.prom")
    text = gauges.read_text(encoding="utf-8")
    assert 'model_feature_drift{feature="amount"' in text
    for method in ("jensen_shannon", "kolmogorov_smirnov", "wasserstein", "p_value"):
        assert f'feature="amount",method="{method}"' in text
        told = zip(*(found[table] for table in ("columns", "distances", "means")), strict=True)
        assert all(any(method in row for row in rows) for rows in told)
    verdicts = {row["column"]: row["verdict"] for row in found["columns"]}
    assert (verdicts["amount"], verdicts["grade"]) == ("drifted", "calm")
    assert 'model_drift_alarm{model_name="loans"} 1.0' in text


def test_what_has_no_values_has_no_distance(watch: Watch, held_out: pd.DataFrame) -> None:
    watch.log(held_out, 0, shift=np.nan)
    found = watch.report()
    assert [row["verdict"] for row in found["columns"] if row["column"] == "amount"] == ["broken"]
    assert [row["psi"] for row in found["columns"] if row["column"] == "amount"] == [""]
    assert "amount" not in {row["column"] for row in found["distances"]}, "0 would say: as before"
    gauges = Path(watch.resources["metrics"].root, "loans", "metrics", "drift.prom")
    assert 'feature="amount"' not in gauges.read_text(encoding="utf-8")
    assert 'feature="grade"' in gauges.read_text(encoding="utf-8")


@pytest.mark.usefixtures("drawn")
def test_every_column_is_drawn_on_demand(watch: Watch, held_out: pd.DataFrame) -> None:
    watch.log(held_out, 0)
    found = watch.report(all_columns=True)
    assert found["verdict"] == "calm"
    page = watch.page(found)
    assert all(name in page for name in ("amount", "grade", "prediction"))


@pytest.mark.usefixtures("drawn")
def test_what_cannot_be_drawn_costs_no_verdict(watch: Watch, held_out: pd.DataFrame) -> None:
    watch.log(held_out, 0, shift=np.where(np.arange(len(held_out)) % 2, np.inf, -np.inf))
    found = watch.report()
    assert found["verdict"] == "drifted"
    assert found["evidently"].startswith("Evidently cannot draw")


def test_a_profile_of_another_release_says_what_to_do(watch: Watch) -> None:
    watch.deploy()
    tracking = watch.resources["tracking"]
    version = tracking.registry.version("loans", 1)
    tracking.run_of(version).log_text(PROFILE_FILE, '{"rows": 1, "columns": {"amount": {}}}')
    with pytest.raises(TrackingError, match=r"another release .* train loans anew"):
        stored_profile(version, tracking)


def test_a_column_that_went_missing_is_a_fault_and_trains_nothing(
    watch: Watch, held_out: pd.DataFrame, tmp_path: Path
) -> None:
    decisions = DecisionStore(database=str(tmp_path / "decisions.db"))
    for day in range(3):
        watch.log(held_out, day, shift=float("nan"))
        found = watch.report()
        assert found["broken_columns"] == "amount"
        decided = tick(watch.instance, watch.settings, decisions, datetime.now(UTC))
        assert not decided.run_requests


def test_drift_that_stays_requests_one_training(
    watch: Watch, held_out: pd.DataFrame, tmp_path: Path
) -> None:
    decisions = DecisionStore(database=str(tmp_path / "decisions.db"))
    later = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1)
    requested = []
    for day in range(3):
        watch.log(held_out, day, shift=40.0)
        watch.report()
        decided = tick(watch.instance, watch.settings, decisions, later)
        requested += decided.run_requests or []
        again = tick(watch.instance, watch.settings, decisions, later)
        requested += again.run_requests or []
    keys = {request.run_key for request in requested}
    assert len(keys) == 1
    assert requested[0].tags["mlops/trigger"] == "drift"


def test_every_window_that_was_over_since_is_judged_and_counted_once(
    watch: Watch, held_out: pd.DataFrame, tmp_path: Path
) -> None:
    """As after an outage of the job; whether they drifted differs from day to day."""
    decisions = DecisionStore(database=str(tmp_path / "decisions.db"))
    later = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1)
    for day in (0, 1, 3):
        watch.log(held_out, day, shift=40.0 * (day == 1))
    watch.log(held_out.head(20), 4)
    windows = watch.report()["windows"]
    assert [(one["window.start"][:10], one["verdict"]) for one in windows] == [
        ("2025-01-01", "calm"),
        ("2025-01-02", "drifted"),
        ("2025-01-04", "calm"),  # in between nobody asked
        ("2025-01-05", "unknown"),  # too few rows
    ]
    for _ in range(2):  # reported again, it is the same evidence
        watch.report()
        assert not tick(watch.instance, watch.settings, decisions, later).run_requests
    judged = decisions.load("loans").state.drift.windows
    assert [window.bad for window in judged] == [True, False]


def test_the_present_window_is_judged_when_it_is_over(watch: Watch, held_out: pd.DataFrame) -> None:
    """With steady traffic the newest prediction is always of a window that has just begun."""
    now = pd.Timestamp.now("UTC")
    today = (now.floor("D") - pd.Timestamp("2025-01-01", tz="UTC")).days
    watch.log(held_out, today - 1)
    watch.log(held_out.head(1), today)
    found = watch.report()
    assert (found["verdict"], found["rows"]) == ("calm", len(held_out))
    assert found["window"].startswith(f"{now.floor('D') - DAY:%Y-%m-%d}")


def test_late_rows_are_judged_with_their_window(watch: Watch, held_out: pd.DataFrame) -> None:
    watch.log(held_out.head(20), 0)
    assert watch.report()["verdict"] == "unknown"
    watch.log(held_out, 1)
    late = predictions(held_out, chances(held_out))
    moment = pd.Timestamp("2025-01-01", tz="UTC")
    late["event_time"] = late["features_as_of"] = moment
    late["request_id"] = [f"late-{i}" for i in range(len(late))]
    watch.resources["predictions"].add("loans", late)
    first, second = watch.report()["windows"]
    assert (first["rows"], first["verdict"]) == (len(held_out) + 20, "calm")
    assert (second["rows"], second["verdict"]) == (len(held_out), "calm")


def test_a_season_is_compared_with_itself_once_it_was_seen_often_enough(
    watch: Watch, held_out: pd.DataFrame
) -> None:
    seasonal = watch.otherwise(reference="same_weekday", history=2)
    found = []
    for week in range(3):
        watch.log(held_out, 7 * week, shift=40.0)
        found.append(seasonal.report())
    assert [one["verdict"] for one in found] == ["drifted", "drifted", "calm"]
    assert [one["reference"] for one in found] == ["training", "training", "same_weekday"]
    assert "training: 1 earlier windows with" in found[1]["notes"]
    assert found[2]["notes"] == "none"

    watch.log(held_out, 21, shift=90.0)
    moved = seasonal.report()
    assert moved["drifted_columns"] == "amount"
    assert "amount" in watch.page(moved)


def test_a_column_that_ages_is_compared_at_the_same_age(watch: Watch) -> None:
    ageing = watch.otherwise(ageing={"amount": "1d"})
    rows = ageing.deploy()
    moment = pd.Timestamp("2025-01-01", tz="UTC")
    watch.log(rows, 0, shift=((moment - rows["event_timestamp"]) / DAY).to_numpy())

    aged = ageing.report()
    assert (aged["verdict"], aged["notes"]) == ("calm", "none")
    plain = watch.report()
    assert plain["notes"].startswith("columns counted as ageing: amount")
