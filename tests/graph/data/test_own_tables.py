"""Tables as their owners have them: trained, served, and served as offline."""

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
from tests.support.pipeline_runs import STAGES, build, checks, materialize, materialized, metadata
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
