"""CPU seconds that Dagster adds to a step: a run of the whole graph against its functions alone.

A table of 400 rows and the resources of the tests, so that the work is small and the same; but a
real instance with sqlite storage, and real files for the stored values. Both are run in turn in one
process, and the first round, which imports the libraries, is not counted.

    python -m benchmarks.step_overhead FOLDER [ROUNDS]
"""

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from mlops_assets.assets.data import read_rows, source_files
from mlops_assets.assets.deployment import online_features, package, require_passed
from mlops_assets.assets.features import with_labels
from mlops_assets.assets.gate import judge, load_version
from mlops_assets.assets.model import draw
from mlops_assets.assets.servable import measure_servable
from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.ml.contract import enforce
from mlops_assets.ml.features import TIMESTAMP, build_features, build_labels
from mlops_assets.ml.model_files import untrusted_types
from mlops_assets.ml.processing import process
from mlops_assets.ml.scoring import select_features
from mlops_assets.ml.training import fit, split
from mlops_assets.records.data import FeatureView
from mlops_assets.records.evaluation import ModelVersion
from resources.io import ParquetStorage
from resources.registry import CHAMPION
from tests.fakes import FakeDatasets, FakeFeatureStore, FakeTracking
from tests.fakes_deployment import FakeDeployment

ROWS = 400
_PORT = 18291  # nobody listens: the endpoint is a fake


def main(folder: Path, rounds: int) -> None:
    """Print `{"per_step": ..., "run": ..., "direct": ..., "steps": ...}` as JSON, medians."""
    settings = small_model(folder)
    fakes = build_fakes(folder)
    job = dg.Definitions.merge(
        build_model_defs(settings), dg.Definitions(resources=fakes)
    ).resolve_job_def(f"{settings.name}_training")
    runs, directs, steps = [], [], 0
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        for _ in range(rounds + 1):
            begin = time.process_time()
            result = job.execute_in_process(instance=instance, run_config=_QUIET)
            middle = time.process_time()
            call_directly(settings, fakes)
            runs.append(middle - begin)
            directs.append(time.process_time() - middle)
            steps = len(result.filter_events(lambda event: event.is_step_success))
    added = [run - direct for run, direct in zip(runs[1:], directs[1:], strict=True)]
    found = {
        "per_step": statistics.median(added) / steps,
        "run": statistics.median(runs[1:]),
        "direct": statistics.median(directs[1:]),
        "steps": steps,
    }
    print(json.dumps(found))


_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def small_model(folder: Path) -> ModelSettings:
    """A flat table of loans, and its settings."""
    rng = np.random.default_rng(0)
    amount = rng.uniform(1, 100, ROWS).round(2)
    times = pd.date_range("2024-01-01", periods=ROWS, freq="D").strftime("%Y-%m-%d")
    label = (rng.uniform(size=ROWS) < 1 / (1 + np.exp(-(amount - 50) / 8))).astype(int)
    columns = {"id": np.arange(ROWS), "time": times, "amount": amount, "label": label}
    pd.DataFrame(columns).to_csv(folder / "loans.csv", index=False)
    return ModelSettings.model_validate(
        {
            "name": "loans",
            "source": {"uri": str(folder / "loans.csv")},
            "entity": {"name": "id"},
            "timestamp": "time",
            "contract": {
                "columns": {
                    "id": {"dtype": "int64"},
                    "time": {"dtype": "datetime"},
                    "amount": {"dtype": "float64"},
                    "label": {"dtype": "int64"},
                }
            },
            "features": {"columns": ["amount"], "ttl": "400d", "clock": "data"},
            "target": {"name": "defaulted", "task": "binary", "column": "label"},
            "training": {
                "estimator": "sklearn.linear_model.LogisticRegression",
                "split": {"by": "time", "test": "3 months"},
            },
            "evaluation": {"primary": "roc_auc"},
            "deployment": {"port": _PORT},
        }
    )


def build_fakes(folder: Path) -> dict[str, Any]:
    """Resources in memory, and the real storage."""
    return {
        "io_manager": ParquetStorage(root=str(folder / "assets")),
        "datasets": FakeDatasets(
            root=str(folder), cache=str(folder / "cache"), quarantine=str(folder / "quarantine")
        ),
        "feature_store": FakeFeatureStore(root=str(folder / "feast")),
        "tracking": FakeTracking(tracking_uri="memory:", artifacts=str(folder / "artifacts")),
        "deployment": FakeDeployment(root=str(folder / "endpoints")),
    }


def call_directly(settings: ModelSettings, fakes: dict[str, Any]) -> None:
    """The calls that the assets and checks make, without storing or reporting anything."""
    datasets, store = fakes["datasets"], fakes["feature_store"]
    with source_files(settings) as files:
        read_rows(files, settings)
        version = datasets.add(settings.name, files)
    datasets.damaged_files(version)
    with datasets.open(version) as files:
        rows = read_rows(files, settings)
        checked = enforce(rows, settings.contract, now=datetime.now(UTC))
        datasets.keep_rejected(settings.name, version, checked.bad)
    frame = process(checked.rows, settings.processing)
    computed = build_features(frame, settings)
    keys = with_labels(computed, build_labels(frame, computed, settings), settings)
    view = FeatureView.of(settings)
    store.publish(view, computed)
    joined = store.training_rows(view, keys)
    store.online_rows(view, joined.tail(20)[settings.entity.name].tolist())
    joined = joined.sort_values([TIMESTAMP, settings.entity.name], ignore_index=True)
    model = _train(joined, settings, fakes["tracking"], version.md5)
    _evaluate_and_deploy(joined, model, settings, fakes)


def _train(
    joined: pd.DataFrame, settings: ModelSettings, tracking: FakeTracking, md5: str
) -> ModelVersion:
    with tracking.run(settings.name, tags={"dvc/md5": md5}):
        train = split(joined, settings).train
        fitted = fit(train, settings)
        example = select_features(train.head(), settings.feature_dtypes)
        tracking.log_params(settings.training.params)
        tracking.log_dataset(train, name=settings.name, digest=md5, target=settings.target.name)
        return tracking.log_model(fitted, registered_name=settings.name, example=example)


def _evaluate_and_deploy(
    joined: pd.DataFrame, model: ModelVersion, settings: ModelSettings, fakes: dict[str, Any]
) -> None:
    tracking = fakes["tracking"]
    with tempfile.TemporaryDirectory() as name:
        file = tracking.download_model(model, Path(name))
        untrusted_types(file.read_bytes())
        parts = split(joined, settings)
        estimator = load_version(model, tracking)
        measured = measure_servable(model, joined, settings, tracking)
        report = judge(model, estimator, parts, settings, tracking, measured)
        tracking.log_evaluation(model, report.metrics, draw(estimator, parts.test, settings))
        champion = tracking.version_by_alias(settings.name, CHAMPION)
        require_passed(report, model, champion, settings)
        servable, recorded = package(file, model, joined, settings)
        online = online_features(joined, settings, fakes["feature_store"])
        fakes["deployment"].deploy(servable, file, recorded, online, settings.deployment)
        tracking.set_alias(model, CHAMPION)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]) if len(sys.argv) > 2 else 7)
