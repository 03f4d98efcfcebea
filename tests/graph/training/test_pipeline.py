"""The whole graph of one model, materialized in process on fakes."""

from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.cli.failures import failed_steps
from mlops_assets.cli.runs.freshness import stale_assets
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.ml.documented import TracedRows
from mlops_assets.model_versions.online_features import COMPARED, entities_to_compare
from mlops_assets.model_versions.provenance import read_record
from mlops_assets.records.data import FeatureView
from tests.support.runs.pipeline_runs import (
    STAGES,
    build,
    checks,
    failure,
    materialize,
    materialized,
    metadata,
)


def test_a_flat_table_becomes_a_live_endpoint(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    result = materialize(settings, resources, instance)

    assert materialized(result) == STAGES
    assert set(checks(result).values()) == {True}
    assert metadata(result, "loans", "evaluation_report")["roc_auc"] > 0.7
    inference = metadata(result, "loans", "trained_model")["inference"]
    assert inference.startswith("ONNX Runtime: on ")
    (run,) = resources["tracking"].server.runs.values()
    assert run["tags"]["mlops/inference"] == inference
    assert run["metrics"]["onnx_flips"] == 0
    assert run["metrics"]["onnx_max_difference"] < 1e-9
    assert run["metrics"]["onnx_rows"] > 100
    assert f"| served by | {inference} |" in run["texts"]["model_card.md"]
    deployed = metadata(result, "loans", "deployed_endpoint")
    assert deployed["version"] == 1
    assert deployed["online_lookup"] == "feast: the online store is None, no sqlite file"
    (answer,) = resources["deployment"].predict("loans", [5])
    assert 0 < answer["prediction"] < 1


def test_a_direct_lookup_is_compared_for_new_old_and_incomplete_entities(
    settings: ModelSettings,
) -> None:
    view = FeatureView.of(settings)
    ids = [number % 900 for number in range(1000)]
    rows = pd.DataFrame({view.entity.name: ids, **dict.fromkeys(view.features, 1.0)})
    rows.loc[500:502, next(iter(view.features))] = None

    compared = entities_to_compare(rows, view)

    assert len(compared) == len(set(compared)) <= 3 * COMPARED
    assert set(ids[-COMPARED:]) | {500, 501, 502} <= set(compared)
    assert {number // 100 for number in compared} == set(range(9))


@pytest.fixture
def events(loans: dict[str, Any], tmp_path: Path) -> ModelSettings:
    """An event log: customers 0..39 buy every 1 to 4 days, half of them stop in the middle."""
    days = pd.date_range("2024-01-01", "2024-06-30", freq="D")
    rows = [
        {"customer": c, "day": day.strftime("%Y%m%d"), "value": 1.0 + c}
        for c in range(40)
        for number, day in enumerate(days)
        if number % (1 + c % 4) == 0 and not (c % 2 and number > 60 + c)
    ]
    file = tmp_path / "source" / "events.csv"
    pd.DataFrame(rows).to_csv(file, index=False)
    return ModelSettings.model_validate(
        {
            **loans,
            "name": "buyers",
            "source": {"uri": str(file)},
            "entity": {"name": "customer"},
            "timestamp": "day",
            "contract": {
                "columns": {
                    "customer": {"dtype": "int64"},
                    "day": {"dtype": "datetime", "format": "%Y%m%d"},
                    "value": {"dtype": "float64"},
                }
            },
            "processing": {},
            "features": {
                "snapshots": {"every": "1 week", "start": "2024-01-15"},
                "aggregates": {
                    "buys_14d": {"agg": "count", "window": "14d"},
                    "recency_days": {"agg": "days_since_last"},
                },
                "ttl": "8d",
                "clock": "data",
            },
            "target": {
                "name": "again",
                "task": "binary",
                "agg": "count",
                "window": "14d",
                "at_least": 1,
            },
            "training": {**loans["training"], "split": {"by": "time", "test": "6 weeks"}},
        }
    )


def test_an_event_log_becomes_a_live_endpoint(
    events: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    result = materialize(events, resources, instance)

    assert materialized(result) == STAGES
    facts = metadata(result, "buyers", "features")
    assert facts["labelled_rows"] < facts["dagster/row_count"], "the newest windows are open"


@pytest.mark.parametrize(
    ("target", "estimator", "primary"),
    [
        (
            {"name": "value", "task": "regression", "column": "label"},
            "sklearn.linear_model.Ridge",
            "rmse",
        ),
        (
            {"name": "kind", "task": "multiclass", "column": "label"},
            "sklearn.linear_model.LogisticRegression",
            "accuracy",
        ),
    ],
)
def test_other_tasks_become_live_endpoints(
    loans: dict[str, Any],
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    target: dict[str, str],
    estimator: str,
    primary: str,
) -> None:
    frame = pd.read_csv(loans_csv)
    frame["label"] = (frame["amount"] // 34).astype(int)
    frame.to_csv(loans_csv, index=False)
    contract = {"columns": {**loans["contract"]["columns"], "label": {"dtype": "int64"}}}
    training = {**loans["training"], "estimator": estimator}
    settings = ModelSettings.model_validate(
        loans
        | {"target": target, "training": training, "contract": contract}
        | {"evaluation": {"primary": primary}}
    )

    result = materialize(settings, resources, instance)

    assert materialized(result) == STAGES
    (answer,) = resources["deployment"].predict("loans", [ROW_NEAR_THE_END])
    expected = int(frame["label"][ROW_NEAR_THE_END])
    if target["task"] == "multiclass":
        assert answer["prediction"] == str(expected)
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
    else:
        assert answer["prediction"] == pytest.approx(expected, abs=0.6)


ROW_NEAR_THE_END = 390


def test_bad_rows_are_quarantined_with_their_reason(
    loans: dict[str, Any], loans_csv: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    text = loans_csv.read_text().splitlines()
    text[7] = "6,2024-01-07,-5,a,0"
    loans_csv.write_text("\n".join(text) + "\n")

    result = materialize(ModelSettings.model_validate(loans), resources, instance)

    facts = metadata(result, "loans", "processed_data")
    kept = Path(*(row["whole"] for row in facts["quarantine"]))
    rejected = pd.read_parquet(kept)
    assert facts["rejected_rows"] == 1
    assert "amount" in rejected["reason"][0]
    assert "-5" in rejected["reason"][0]
    card = metadata(result, "loans", "evaluation_report")["model_card"]
    assert f"rows are put aside (amount.min 1), in loans/{kept.name} |" in card


def test_too_many_bad_rows_stop_the_run_and_keep_the_previous_rows(
    loans: dict[str, Any], loans_csv: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    settings = ModelSettings.model_validate(loans)
    materialize(settings, resources, instance, STAGES[:2])
    stored = Path(resources["io_manager"].root, "loans", "processed_data.parquet")
    before = stored.read_bytes()
    loans_csv.write_text(loans_csv.read_text().replace(",a,", ",a,7"))

    result = materialize(settings, resources, instance)

    assert not checks(result)["contract_holds"]
    assert materialized(result) == ["raw_data"]
    assert stored.read_bytes() == before


def test_a_model_below_its_limit_is_not_deployed(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["evaluation"]["gate"]["limits"]["roc_auc"]["min"] = 0.999
    settings = ModelSettings.model_validate(loans)

    result = materialize(settings, resources, instance)

    assert not checks(result)["model_passes_the_gate"]
    assert materialized(result) == STAGES[:-2]

    alone = materialize(settings, resources, instance, ["deployed_endpoint"])

    assert "did not pass the gate" in failure(alone)
    assert "0.999" in failure(alone)
    assert resources["deployment"].status("loans") is None


def test_unchanged_data_leaves_everything_fresh_and_new_data_nothing(
    settings: ModelSettings,
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    specs = build(settings, resources).resolve_all_asset_specs()
    assert [key.path[-1] for key in stale_assets(instance, specs)] == STAGES
    materialize(settings, resources, instance)
    assert not stale_assets(instance, specs)

    materialize(settings, resources, instance, ["raw_data"])
    assert not stale_assets(instance, specs)

    loans_csv.write_text(loans_csv.read_text() + "400,2025-02-04,3.5,a,0\n")
    materialize(settings, resources, instance, ["raw_data"])
    stale = stale_assets(instance, specs)
    assert [key.path[-1] for key in stale] == STAGES[1:]
    assert stale[asset_key("loans", "processed_data")] == "loans/raw_data has another version"


def test_a_change_of_the_settings_makes_its_stage_stale(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(ModelSettings.model_validate(loans), resources, instance)
    loans["training"]["params"] = {"C": 0.5}

    specs = build(ModelSettings.model_validate(loans), resources).resolve_all_asset_specs()

    stale = stale_assets(instance, specs)
    assert [key.path[-1] for key in stale] == STAGES[3:]
    assert stale[asset_key("loans", "trained_model")] == "its code or settings changed"


def test_a_bad_source_never_becomes_a_version(
    settings: ModelSettings,
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    loans_csv.write_text("id;time;amount;grade;label\n1;2024-01-01;2;a;0\n")

    result = materialize(settings, resources, instance)

    assert materialized(result) == []
    assert "SourceError" in failure(result)
    assert "delimiter" in failure(result)
    assert not Path(resources["datasets"].cache).exists()


def test_a_version_leaves_what_its_repetition_needs(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(settings, resources, instance)
    materialize(settings, resources, instance, ["trained_model"])
    versions = [resources["tracking"].registry.version("loans", number) for number in (1, 2)]

    first, second = (read_record(version, resources["tracking"]) for version in versions)

    assert first.raw.files == ("loans.csv",)
    assert ModelSettings.model_validate(first.settings) == settings
    assert len(first.prediction_sha256) == 64
    assert second.prediction_sha256 == first.prediction_sha256
    tags = resources["tracking"].run_of(versions[0]).tags()
    assert tags["prediction/sha256"] == first.prediction_sha256
    assert tags["git/state"]


def test_features_of_older_code_are_refused_with_the_remedy(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    materialize(settings, resources, instance, STAGES[:3])
    file = resources["io_manager"].path(dg.AssetKey(["loans", "features"]), TracedRows)
    frame = pd.read_parquet(file)
    frame.attrs = {}
    frame.to_parquet(file)

    result = materialize(settings, resources, instance, ["trained_model"])

    (said,) = failed_steps(result.all_events)
    assert "loans/features cannot be read" in said
    assert "and so may be what it is made of; materialize that asset again" in said
    assert materialize(settings, resources, instance, STAGES[1:4]).success
