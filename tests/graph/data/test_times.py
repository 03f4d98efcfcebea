"""Moments through the graph: fractions, 1970, and features that have outlived their TTL."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.outcomes import known_labels, predicted_moments, with_outcomes
from tests.support.fakes.features import FakeDatasets
from tests.support.runs.pipeline_runs import STAGES, checks, failure, materialize, materialized
from tests.support.served.live_rows import chances, predictions, stored_features


def with_times(file: Path, first: str, step: str) -> None:
    """The loans at other moments, down to the nanosecond."""
    rows = pd.read_csv(file)
    times = pd.date_range(first, periods=len(rows), freq=step, tz="UTC")
    rows["time"] = [time.isoformat() for time in times]
    rows.to_csv(file, index=False)


@pytest.mark.parametrize(
    ("first", "step"),
    [
        ("2024-01-01T00:00:00.123456789", "20h13min7s501ms3us7ns"),
        ("1969-06-01", "1D"),
        ("1700-01-01T00:00:00.5", "1D"),
    ],
)
def test_any_moment_is_trained_on_checked_and_labelled(
    settings: ModelSettings,
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    first: str,
    step: str,
) -> None:
    with_times(loans_csv, first, step)

    result = materialize(settings, resources, instance)

    assert result.success
    assert all(checks(result).values())
    features = stored_features(resources)
    log = predictions(features, chances(features))  # whose moments are of whole microseconds
    rows = pd.read_parquet(
        resources["io_manager"].path(dg.AssetKey(["loans", "processed_data"]), pd.DataFrame)
    )
    known = known_labels(rows, predicted_moments(log, settings), settings)
    assert with_outcomes(log, known, settings)["label"].notna().all()


def test_features_that_nobody_could_be_served_are_refused_before_the_training(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    clock = settings.features.model_copy(update={"clock": "wall"})
    result = materialize(
        settings.model_copy(update={"features": clock}), resources, instance, STAGES[:4]
    )
    assert materialized(result) == STAGES[:2]
    said = failure(result)
    assert "the newest row is of 2025-02-03 00:00:00 UTC" in said
    assert "older than features.ttl, 400 days" in said
    assert "`features.clock: data`" in said
    assert "a longer `features.ttl`" in said


NOW = "2024-09-01T12:00:00+00:00"


def labels_of(rows: pd.DataFrame, loans: dict[str, Any], resources: dict[str, Any]) -> pd.DataFrame:
    """What `features` says became of each borrower in the two weeks after each snapshot."""
    rows.to_csv(loans["source"]["uri"], index=False)
    loans["contract"]["columns"]["time"] |= {"format": "%Y-%m-%d", "future": "allow"}
    loans["processing"] = {}
    loans["features"] = {
        "snapshots": {"every": "1 week", "start": "2024-03-01"},
        "aggregates": {"borrowed": {"agg": "sum", "column": "amount"}},
        "ttl": "400d",
    }
    loans["target"] = {"name": "loans", "task": "regression", "agg": "count", "window": "14d"}
    loans["evaluation"] = {"primary": "mae"}
    kept = resources["datasets"].model_dump(include={"root", "cache", "quarantine"})
    pinned = resources | {"datasets": FakeDatasets(**kept, pinned_now=NOW)}
    settings = ModelSettings.model_validate(loans)
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(settings, pinned, instance, STAGES[:3]).success
    found = stored_features(resources)
    return found[found["loans"].notna()].drop(columns="borrowed").reset_index(drop=True)


def test_what_is_booked_for_the_future_labels_nothing(
    loans: dict[str, Any], resources: dict[str, Any]
) -> None:
    """A window that is not over has not all of its events, however far the log reaches."""
    rows = pd.read_csv(loans["source"]["uri"])
    rows["id"] %= 5
    booked = rows["time"] > NOW[:10]
    sparse = pd.concat([rows[~booked], rows[booked].iloc[::20]])

    labels = labels_of(sparse, loans, resources)

    assert (labels["event_timestamp"] + pd.Timedelta("14d")).max() <= pd.Timestamp(NOW)
    assert labels["loans"].min() >= 2  # of 14 loans in two weeks, 5 borrowers
    assert labels.equals(labels_of(rows[~booked], loans, resources))
