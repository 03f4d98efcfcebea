"""The code location that is watched: 20 models that were trained on what their source holds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.definitions import build_resources
from mlops_assets.home import home
from mlops_assets.keys import Stage, asset_key
from mlops_assets.ml.data.sources import source_fingerprint
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from resources.dagster.dagster_storage import read_migrations_once
from sensors.incidents import build_incident_sensors
from sensors.mlflow_runs import build_mlflow_runs_sensor

NAMES = [f"shop_{number:02}" for number in range(20)]


@dg.definitions
def defs() -> dg.Definitions:
    """As the product's own location, with its intervals."""
    read_migrations_once()
    sensors = [build_mlflow_runs_sensor(), *build_incident_sensors()]
    return dg.Definitions.merge(
        *(build_model_defs(settings(name)) for name in NAMES),
        dg.Definitions(resources=build_resources(home()), sensors=sensors),
    )


def settings(name: str) -> ModelSettings:
    """A small model whose source is one file of the state folder."""
    dtypes = {"id": "int64", "time": "datetime", "amount": "float64", "label": "int64"}
    return ModelSettings.model_validate(
        {
            "name": name,
            "source": {"uri": str(home() / "rows.csv")},
            "entity": {"name": "id"},
            "timestamp": "time",
            "contract": {"columns": {column: {"dtype": kind} for column, kind in dtypes.items()}},
            "features": {"columns": ["amount"], "ttl": "400d"},
            "target": {"name": "bought", "task": "binary", "column": "label"},
            "training": {"split": {"by": "time", "test": "3 months"}},
            "evaluation": {"primary": "roc_auc"},
            "deployment": {"port": 3200 + NAMES.index(name)},
        }
    )


def remember(instance: dg.DagsterInstance) -> None:
    """Write the source, and the events that say: every model was trained on it, all is calm."""
    text = "id,time,amount,label\n" + "".join(f"{i},2025-01-01,{i}.5,{i % 2}\n" for i in range(50))
    (home() / "rows.csv").write_text(text, encoding="utf-8")
    for name in NAMES:
        for stage, metadata in _history(name):
            event = dg.AssetMaterialization(asset_key(name, stage), metadata=metadata)
            instance.report_runless_asset_event(event)


def _history(name: str) -> Iterator[tuple[Stage, dict[str, Any]]]:
    yield "raw_data", {"source_fingerprint": str(source_fingerprint(settings(name).source))}
    yield "trained_model", {}
    final = []
    for day in range(5):
        start = datetime(2025, 2, 1 + day, tzinfo=UTC)
        window = Window(start=start, end=start + timedelta(days=1))
        common: dict[str, Any] = {"model": name, "model_version": 1, "window": window, "rows": 500}
        drift = DriftSummary(**common, reference_rows=500, verdict="calm", scores={"amount": 0.01})
        good = PerformanceSummary(
            **common, labelled_rows=500, final=True, verdict="good", metrics={"log_loss": 0.3}
        )
        final.append(good.model_dump(mode="json"))
        yield "drift_report", {"summary": drift.model_dump(mode="json")}
    yield "performance_report", {"final": final}
