"""Tables as their owners have them: trained, served, and served as offline."""

import lzma
import re
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.records.files import VERIFIED_FILE
from mlops_assets.serving.version.holder import read_manifest
from tests.support.live_rows import predictions, stored_features
from tests.support.pipeline_runs import (
    STAGES,
    build,
    checks,
    failure,
    materialize,
    materialized,
    metadata,
)
from tests.support.serving_worker import Worker

ROWS = 400


@pytest.fixture
def german(tmp_path: Path) -> dict[str, Any]:
    """Customers who leave, under names that no program would choose."""
    rng = np.random.default_rng(0)
    size, kind = rng.normal(170, 10, ROWS).round(1), rng.choice(["普通", "高级"], ROWS)
    leaves = (size + 10 * (kind == "高级") + rng.normal(0, 4, ROWS)) > 175
    frame = pd.DataFrame(
        {
            "Kunden-Nr.": [f"K-{number:04d}" for number in range(ROWS)],
            "Datum der Anfrage": pd.date_range("2025-01-01", periods=ROWS, freq="6h").strftime(
                "%d.%m.%Y %H:%M"
            ),
            "Größe (cm)": size,
            "Prix €/mois, TTC": rng.uniform(5, 90, ROWS).round(2),
            '客户"类型"': kind,
            "Gekündigt?": leaves.astype(int),
        }
    )
    file = tmp_path / "kunden.csv"
    frame.to_csv(file, index=False)
    return {
        "name": "kunden",
        "source": {"uri": str(file)},
        "entity": {"name": "kunde", "dtype": "string"},
        "timestamp": "asked_at",
        "contract": {
            "columns": {
                "kunde": {"dtype": "string", "from": "Kunden-Nr."},
                "asked_at": {
                    "dtype": "datetime",
                    "format": "%d.%m.%Y %H:%M",
                    "from": "Datum der Anfrage",
                },
                "groesse_cm": {"dtype": "float64", "from": "Größe (cm)"},
                "prix": {"dtype": "float64", "min": 0, "from": "Prix €/mois, TTC"},
                "art": {"dtype": "string", "from": '客户"类型"'},
                "gekuendigt": {"dtype": "int64", "from": "Gekündigt?"},
            },
            "unique": ["kunde"],
        },
        "processing": {"categorical_encoding": ["art"]},
        "features": {"columns": ["groesse_cm", "prix", "art"], "ttl": "400d", "clock": "data"},
        "target": {"name": "churned", "task": "binary", "column": "gekuendigt"},
        "training": {
            "estimator": "sklearn.linear_model.LogisticRegression",
            "scale": True,
            "split": {"by": "time", "test": "1 month"},
        },
        "evaluation": {"primary": "roc_auc"},
        "deployment": {"port": 18200},
        "monitoring": {"window": "500d", "drift": {"min_rows": 50}},
    }


def worker_of(model: str, resources: dict[str, Any]) -> Worker:
    """What serves the deployed version, without a server before it."""
    folder = Path(resources["deployment"].root, model)
    worker, wanted = Worker(folder), read_manifest(folder, VERIFIED_FILE)
    assert wanted is not None
    worker.folder.write(wanted)
    worker.holder.reconcile()
    return worker


def test_names_of_the_source_are_shown_and_ours_are_used(
    german: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    settings = ModelSettings.model_validate(german)

    result = materialize(settings, resources, instance)

    assert materialized(result) == STAGES
    assert all(checks(result).values())
    assert "Größe (cm)" in metadata(result, "kunden", "raw_data")["preview"]
    assert "groesse_cm" in metadata(result, "kunden", "processed_data")["preview"]
    (answer,) = resources["deployment"].predict("kunden", ["K-0399"])
    assert answer["kunde"] == "K-0399"
    (run,) = resources["tracking"].server.runs.values()
    assert "| groesse_cm | column 'Größe (cm)', float64 |" in run["texts"]["model_card.md"]
    assert settings == ModelSettings.model_validate(settings.model_dump(mode="json"))


def test_the_documents_and_reports_call_columns_as_the_source_does(
    german: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    settings = ModelSettings.model_validate(german)
    materialize(settings, resources, instance)

    document = worker_of("kunden", resources).call("GET", "/openapi.json").json()
    schemas = {
        path: document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        for path in ("/predict", "/predict_features")
    }
    ids = schemas["/predict"]["schema"]["properties"]["entities"]["items"]
    assert ids == {"type": "string", "title": "Kunden-Nr."}
    row = schemas["/predict_features"]["schema"]["properties"]["rows"]["items"]["properties"]
    assert row["groesse_cm"] == {"type": ["number", "null"], "title": "Größe (cm)"}
    assert row["art"]["title"] == '客户"类型"'

    frame = stored_features(resources, "kunden")
    names = settings.features.names
    logged = predictions(frame, np.full(len(frame), 0.5), entity="kunde", names=names)
    logged["feature_groesse_cm"] += 50
    resources["predictions"].add("kunden", logged)
    job = build(settings, resources).resolve_job_def("kunden_monitoring")
    stages = ("prediction_log", "labels", "drift_report")
    keys = [asset_key("kunden", stage) for stage in stages]
    drift = metadata(
        job.execute_in_process(instance=instance, asset_selection=keys), "kunden", "drift_report"
    )
    assert drift["drifted_columns"].split(", ")[0] == "groesse_cm"
    assert "Größe (cm)" in drift["columns"]
    (run,) = resources["tracking"].server.runs.values()
    (page,) = [text for name, text in run["texts"].items() if name.startswith("drift/")]
    assert "Gr\\u00f6\\u00dfe (cm)" in page or "Größe (cm)" in page


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


def test_features_and_target_are_of_the_events_that_they_name(
    tmp_path: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
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


@pytest.mark.parametrize(
    ("said", "column", "positive"),
    [
        ({1: "yes", 0: "no"}, {"dtype": "string"}, "yes"),
        ({1: ">50K", 0: "<=50K"}, {"dtype": "string", "allowed": [">50K", "<=50K"]}, ">50K"),
        ({1: "Yes", 0: "No"}, {"dtype": "bool"}, None),
        ({1: "ja", 0: "nein"}, {"dtype": "bool", "values": {"ja": True, "nein": False}}, None),
        ({1: "FALSE", 0: "TRUE"}, {"dtype": "bool"}, False),
        ({1: 2, 0: 1}, {"dtype": "int64", "nullable": True}, 2),
        ({1: 0.5, 0: -0.5}, {"dtype": "float64"}, 0.5),
    ],
)
def test_an_outcome_may_be_written_in_any_way(
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    said: dict[int, Any],
    column: dict[str, Any],
    positive: Any,
) -> None:
    """The figures are those of the same table with 0 and 1."""
    settings = ModelSettings.model_validate(loans)
    stages = STAGES[: STAGES.index("evaluation_report") + 1]
    plain = metadata(materialize(settings, resources, instance, stages), "loans", stages[-1])
    file = Path(loans["source"]["uri"])
    frame = pd.read_csv(file)
    frame.assign(label=frame["label"].map(said)).to_csv(file, index=False)
    loans["contract"]["columns"]["label"] = column
    loans["target"]["positive"] = positive

    result = materialize(ModelSettings.model_validate(loans), resources, instance, stages)

    assert metadata(result, "loans", stages[-1])["roc_auc"] == plain["roc_auc"]
    assert metadata(result, "loans", stages[-1])["log_loss"] == plain["log_loss"]


def test_a_positive_value_that_never_occurs_is_named_before_training(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    file = Path(loans["source"]["uri"])
    frame = pd.read_csv(file)
    frame.assign(label=frame["label"].map({1: "yes", 0: "no"})).to_csv(file, index=False)
    loans["contract"]["columns"]["label"] = {"dtype": "string"}
    loans["target"]["positive"] = "Yes"

    result = materialize(ModelSettings.model_validate(loans), resources, instance)

    assert materialized(result) == ["raw_data", "processed_data"]
    assert "no row has 'Yes' as its 'label', but e.g. ['yes', 'no']" in failure(result)


@pytest.mark.parametrize("form", ["jsonl", "german", "parquet"])
def test_a_table_is_the_same_in_any_format(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance, form: str
) -> None:
    """The figures are those of the same table as plain CSV, from files as others write them."""
    stages = STAGES[: STAGES.index("evaluation_report") + 1]
    settings = ModelSettings.model_validate(loans)
    plain = metadata(materialize(settings, resources, instance, stages), "loans", stages[-1])
    loans["source"] = WRITE[form](Path(loans["source"]["uri"]))
    loans["contract"]["extra_columns"] = "drop"

    result = materialize(ModelSettings.model_validate(loans), resources, instance, stages)

    assert metadata(result, "loans", stages[-1])["roc_auc"] == plain["roc_auc"]
    assert metadata(result, "loans", stages[-1])["log_loss"] == plain["log_loss"]


def as_jsonl(file: Path) -> dict[str, Any]:
    text = pd.read_csv(file).to_json(orient="records", lines=True)
    packed = file.with_suffix(".jsonl.xz")
    packed.write_bytes(lzma.compress(text.encode()))
    return {"uri": str(packed), "format": "jsonl"}


def as_german(file: Path) -> dict[str, Any]:
    frame = pd.read_csv(file)
    amount = frame["amount"].map("{:.2f}".format).str.replace(".", ",")
    packed = file.with_suffix(".csv.bz2")
    # The column that nobody asks for is why it cannot be read as UTF-8.
    frame.assign(amount=amount, Größe="é").to_csv(packed, sep=";", index=False, encoding="cp1252")
    options = {"delimiter": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252"}
    return {"uri": str(packed), **options}


def as_parquet(file: Path) -> dict[str, Any]:
    frame = pd.read_csv(file)
    first, second = frame[:200], frame[200:]
    first.assign(grade=pd.Categorical(first["grade"])).to_parquet(file.parent / "1.parquet")
    label = second["label"].astype("float64")
    second.assign(label=label).to_parquet(file.parent / "2.parquet", compression="gzip")
    return {"uri": str(file.parent / "*.parquet"), "format": "parquet"}


WRITE = {"jsonl": as_jsonl, "german": as_german, "parquet": as_parquet}


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
