"""Features that need no code of one's own: of dates, of some events, and those that are refused."""

import re
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from resources.engine import FeatureEngine
from tests.support.runs.pipeline_runs import (
    STAGES,
    checks,
    failure,
    materialize,
    materialized,
    metadata,
)
from tests.support.served.live_rows import stored_features
from tests.support.served.serving_worker import worker_of
from tests.worlds.effort import few_in_the_gate

ROWS = 400


def test_dates_are_features_online_as_they_are_offline(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    file = Path(loans["source"]["uri"])
    frame = pd.read_csv(file)
    since = pd.to_datetime(frame["time"]) - pd.to_timedelta(1000 - 9 * frame["amount"], unit="D")
    frame.assign(amount=0.0, since=since.dt.strftime("%d.%m.%Y")).to_csv(file, index=False)
    loans["contract"]["columns"]["since"] = {"dtype": "datetime", "format": "%d.%m.%Y"}
    loans["features"]["dates"] = {
        "age": {"column": "since", "part": "age_days"},
        "month": {"column": "since", "part": "month"},
    }
    loans["features"]["columns"] = ["grade"]
    settings = ModelSettings.model_validate(loans)

    result = materialize(settings, resources, instance)

    assert materialized(result) == STAGES
    assert all(checks(result).values())
    assert metadata(result, "loans", "evaluation_report")["roc_auc"] > 0.7
    newest = stored_features(resources).iloc[-1]
    row = newest[["grade", "age", "month"]].to_dict()
    worker = worker_of("loans", resources)
    by_features = worker.post("/predict_features", {"rows": [row]}).json()["predictions"][0]
    (by_id,) = resources["deployment"].predict("loans", [int(newest["id"])])
    assert by_features["prediction"] == pytest.approx(by_id["prediction"], abs=1e-9)


# test_beyond_memory.py holds the rows of DuckDB against those of arrays.
@pytest.mark.parametrize("engine", few_in_the_gate(["arrays", "duckdb://"], "arrays"))
def test_features_and_target_are_of_the_events_that_they_name(
    engine: str, tmp_path: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    resources["engine"] = FeatureEngine(url=engine, spill=str(tmp_path / "spill"))
    rng = np.random.default_rng(0)
    size = 6000
    kind = rng.choice(["view", "cart", "purchase", "refund"], size, p=[0.6, 0.2, 0.15, 0.05])
    user = rng.integers(0, 150, size) ** 2 // 150  # some are busier
    frame = pd.DataFrame(
        {
            "user_id": [f"u-{number:03x}" for number in user],
            "event_time": pd.date_range("2025-01-01", periods=size, freq="80min").strftime(
                "%Y-%m-%dT%H:%M:%S.%fZ"
            ),
            "event_type": kind,
            "value": np.where(kind == "purchase", rng.uniform(1, 90, size).round(2), np.nan),
        }
    )
    file = tmp_path / "events.csv"
    frame.to_csv(file, index=False)
    settings = ModelSettings.model_validate(
        {
            "name": "events",
            "source": {"uri": str(file)},
            "entity": {"name": "user_id", "dtype": "string"},
            "timestamp": "event_time",
            "contract": {
                "columns": {
                    "user_id": {"dtype": "string"},
                    "event_time": {"dtype": "datetime"},
                    "event_type": {
                        "dtype": "string",
                        "allowed": ["view", "cart", "purchase", "refund"],
                    },
                    "value": {"dtype": "float64", "nullable": True},
                }
            },
            "features": {
                "snapshots": {"every": "1 month", "start": "2025-03-01", "end": "2025-12-01"},
                "aggregates": {
                    "views_30d": {
                        "agg": "count",
                        "where": {"event_type": "view"},
                        "window": "30d",
                    },
                    "bought_or_carted": {
                        "agg": "count",
                        "where": {"event_type": ["cart", "purchase"]},
                    },
                    "spend_90d": {"agg": "sum", "column": "value", "window": "90d"},
                },
                "ttl": "31d",
                "clock": "data",
            },
            "target": {
                "name": "buys",
                "task": "binary",
                "agg": "count",
                "window": "30d",
                "where": {"event_type": "purchase"},
                "at_least": 1,
            },
            "training": {"split": {"by": "time", "test": "2 months"}},
            "evaluation": {"primary": "roc_auc"},
            "deployment": {"port": 18200},
        }
    )

    result = materialize(settings, resources, instance)

    assert materialized(result) == STAGES
    assert all(checks(result).values())
    last = frame[(frame["event_time"] >= "2025-10-02") & (frame["event_time"] < "2025-11-01")]
    views = last[last["event_type"] == "view"].groupby("user_id").size()
    rows = stored_features(resources, "events")
    november = rows[rows["event_timestamp"] == pd.Timestamp("2025-11-01", tz="UTC")]
    found = november.set_index("user_id")["views_30d"]
    assert found[found > 0].to_dict() == views.to_dict()
    (run,) = resources["tracking"].server.runs.values()
    assert "count where event_type cart or purchase" in run["texts"]["model_card.md"]
    assert run["tags"]["features/engine"] == engine
    assert metadata(result, "events", "features")["engine"] == engine


def test_a_feature_without_values_stops_the_run_and_a_constant_one_is_named(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    file = Path(loans["source"]["uri"])
    pd.read_csv(file).assign(void="", same=7).to_csv(file, index=False)
    columns = loans["contract"]["columns"]
    columns |= {"void": {"dtype": "float64", "nullable": True}, "same": {"dtype": "int64"}}
    loans["features"]["columns"] = ["amount", "grade", "void", "same"]

    result = materialize(ModelSettings.model_validate(loans), resources, instance)

    assert materialized(result) == ["raw_data", "processed_data"]
    assert not checks(result)["features_have_values"]
    assert "['void'] have no value in any row; remove them from `features`" in failure(result)

    loans["features"]["columns"] = ["amount", "grade", "same"]
    result = materialize(ModelSettings.model_validate(loans), resources, instance, STAGES[:4])

    (found,) = [
        one
        for one in result.get_asset_check_evaluations()
        if one.check_name == "features_have_values"
    ]
    assert found.passed
    assert found.metadata["constant"].value == "same"
    assert "['same'] have one value in all rows" in str(found.description)
    assert materialized(result) == STAGES[:4]


def test_a_text_that_would_become_thousands_of_columns_is_named(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    file = Path(loans["source"]["uri"])
    frame = pd.concat([pd.read_csv(file)] * 4, ignore_index=True)
    names = [f"Ms {number}" for number in range(len(frame))]
    frame.assign(id=range(len(frame)), grade=names).to_csv(file, index=False)
    stages = STAGES[:4]

    result = materialize(ModelSettings.model_validate(loans), resources, instance, stages)

    assert materialized(result) == stages[:3]
    said = failure(result)
    assert re.search(
        r"one_hot makes 1,[0-9]{3} columns of 'grade' over 1,[0-9]{3} training rows", said
    )
    assert "set processing.categorical_encoding.grade to target or ordinal" in said
    loans["processing"]["categorical_encoding"] = {"grade": "target"}
    assert materialize(ModelSettings.model_validate(loans), resources, instance, stages).success


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal", "target"])
def test_a_new_category_is_answered_and_the_answer_says_so(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance, encoding: str
) -> None:
    loans["processing"]["categorical_encoding"] = {"grade": encoding}
    assert materialize(ModelSettings.model_validate(loans), resources, instance).success

    worker = worker_of("loans", resources)
    rows = [{"amount": 50.0, "grade": grade} for grade in ("a", "z")]
    known, new = worker.post("/predict_features", {"rows": rows}).json()["predictions"]

    assert "unseen_categories" not in known
    assert new["unseen_categories"] == ["grade"]
    assert 0 < new["prediction"] < 1
