"""Tables as their owners have them: trained, served, and served as offline."""

import lzma
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from tests.support.loans import fake_resources, loans_yaml, write_loans
from tests.support.runs.pipeline_runs import (
    STAGES,
    build,
    checks,
    failure,
    materialize,
    materialized,
    metadata,
)
from tests.support.served.live_rows import predictions, stored_features
from tests.support.served.serving_worker import worker_of

ROWS = 400
EVALUATED = STAGES[: STAGES.index("evaluation_report") + 1]


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
    assert "Größe (cm)" in [row["column"] for row in drift["columns"]]
    (run,) = resources["tracking"].server.runs.values()
    (page,) = [text for name, text in run["texts"].items() if name.startswith("drift/")]
    assert "Gr\\u00f6\\u00dfe (cm)" in page or "Größe (cm)" in page


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The evaluation of the loans as they are, with 0 and 1 in a plain CSV."""
    folder = tmp_path_factory.mktemp("plain")
    settings = ModelSettings.model_validate(loans_yaml(write_loans(folder / "loans.csv")))
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(settings, fake_resources(folder / "state"), instance, EVALUATED)
    return metadata(result, "loans", EVALUATED[-1])


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
    plain: dict[str, Any],
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    said: dict[int, Any],
    column: dict[str, Any],
    positive: Any,
) -> None:
    """The figures are those of the same table with 0 and 1."""
    file = Path(loans["source"]["uri"])
    frame = pd.read_csv(file)
    frame.assign(label=frame["label"].map(said)).to_csv(file, index=False)
    loans["contract"]["columns"]["label"] = column
    loans["target"]["positive"] = positive

    result = materialize(ModelSettings.model_validate(loans), resources, instance, EVALUATED)

    assert metadata(result, "loans", EVALUATED[-1])["roc_auc"] == plain["roc_auc"]
    assert metadata(result, "loans", EVALUATED[-1])["log_loss"] == plain["log_loss"]


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
    plain: dict[str, Any],
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    form: str,
) -> None:
    """The figures are those of the same table as plain CSV, from files as others write them."""
    loans["source"] = WRITE[form](Path(loans["source"]["uri"]))
    loans["contract"]["extra_columns"] = "drop"

    result = materialize(ModelSettings.model_validate(loans), resources, instance, EVALUATED)

    assert metadata(result, "loans", EVALUATED[-1])["roc_auc"] == plain["roc_auc"]
    assert metadata(result, "loans", EVALUATED[-1])["log_loss"] == plain["log_loss"]


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
