"""`customers` from its source to a live endpoint, as a script without Dagster.

The same libraries do the same work as in the asset graph, with nothing kept between the stages:
DVC, strict reading, contract, Feast, scikit-learn, MLflow, plots, a BentoML server. What the graph
adds (events, lineage, stored values, staleness, retries) is the difference that
`benchmarks.overhead` measures. Of this project it uses the settings and the arithmetic, and the
files and HTTP client of the endpoint; none of these imports Dagster.

    python -m benchmarks.overhead.plain_customers FOLDER PORT
"""

import contextlib
import hashlib
import io
import json
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mlops_assets.config import ModelSettings
from mlops_assets.home import FRAMEWORK_ROOT
from mlops_assets.ml.data.contract import enforce
from mlops_assets.ml.data.processing import process
from mlops_assets.ml.data.reading import read_table
from mlops_assets.ml.data.sources import find_files
from mlops_assets.ml.data.verdict import Tally, contract_holds
from mlops_assets.ml.evaluation.metrics import breaches, evaluate
from mlops_assets.ml.features.build import build_features, build_labels
from mlops_assets.ml.frames import TIMESTAMP, Split, select_features
from mlops_assets.ml.inference.scoring import Scored, score
from mlops_assets.ml.inference.trusted_types import TRUSTED_TYPES
from mlops_assets.ml.plots.evaluation import evaluation_plots
from mlops_assets.ml.training.fit import fit, split
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import Inference, OnlineFeatures, RecordedRequest, Servable

RECORDED_REQUESTS = 20


def main(folder: Path, port: int) -> None:
    """Run every stage once and leave the server running."""
    settings = customers(port)
    rows, md5 = version_and_read(settings, folder)
    checked = enforce(rows, settings.contract, now=datetime.now(UTC))
    _require(contract_holds(Tally.of(checked), settings.contract), "the contract is broken")
    joined, online = through_feast(process(checked.rows, settings.processing), settings, folder)
    parts = split(joined, settings)
    model_file, version = train_and_evaluate(parts, settings, md5, folder)
    serve(model_file, version, joined, online, settings, folder)
    _require("dagster" not in sys.modules, "something imported Dagster")


def customers(port: int) -> ModelSettings:
    """The settings that the component reads, served here at another port.

    Of the gate the limits of metrics: what the servable weighs and takes is measured by the graph.
    """
    file = FRAMEWORK_ROOT / "mlops_assets" / "defs" / "customers" / "defs.yaml"
    attributes = yaml.safe_load(file.read_text(encoding="utf-8"))["attributes"]
    attributes["deployment"] |= {"target": "local", "port": port}
    attributes["evaluation"]["gate"] |= {"max_size_mb": None, "latency_p99_ms": None}
    return ModelSettings.model_validate(attributes)


def version_and_read(settings: ModelSettings, folder: Path) -> tuple[pd.DataFrame, str]:
    """Rows of the source, and the md5 that DVC gave them."""
    from dvc.repo import Repo

    root = folder / "data"
    root.mkdir(parents=True)
    files = find_files(str(settings.source.uri))
    rows = read_table(files, settings.source, settings.contract.read_columns, "refuse")
    copy = shutil.copyfile(files[0], root / "raw_data.txt")
    Repo.init(str(root), no_scm=True).close()
    with Repo(str(root), config={"core": {"analytics": False}}) as repo:
        return rows, repo.add(str(copy))[0].outs[0].hash_info.value


def through_feast(
    rows: pd.DataFrame, settings: ModelSettings, folder: Path
) -> tuple[pd.DataFrame, OnlineFeatures]:
    """Publish the features, join them point in time to the labels, and look up the newest."""
    from feast import Entity, FeatureStore, FileSource, RepoConfig, ValueType
    from feast import FeatureView as FeastView
    from feast import Field as FeastField
    from feast.types import Float64, Int64

    computed = build_features(rows, settings)
    name, entity, file = settings.name, settings.key.name, folder / "features.parquet"
    keys = computed[[entity, TIMESTAMP]].merge(
        build_labels(rows, computed, settings), on=[entity, TIMESTAMP], how="left"
    )
    micros = computed[TIMESTAMP].dt.as_unit("us")
    computed.assign(**{TIMESTAMP: micros}).to_parquet(file, index=False)
    config: dict[str, Any] = {
        "project": name,
        "provider": "local",
        "registry": {"registry_type": "file", "path": str(folder / "registry.db")},
        "online_store": {"type": "sqlite", "path": str(folder / "online.db")},
        "offline_store": {"type": "duckdb"},
        "entity_key_serialization_version": 3,
    }
    store = FeatureStore(config=RepoConfig(**config))
    key = Entity(name=entity, value_type=ValueType.INT64)
    source = FileSource(name="source", path=str(file), timestamp_field=TIMESTAMP)
    schema = [FeastField(name=entity, dtype=Int64)]
    schema += [FeastField(name=each, dtype=Float64) for each in settings.features.names]
    view = FeastView(
        name=name, entities=[key], ttl=settings.features.ttl, schema=schema, source=source
    )
    newest = computed[TIMESTAMP].max().to_pydatetime()
    features = [f"{name}:{each}" for each in settings.features.names]
    with contextlib.redirect_stdout(io.StringIO()):
        store.apply([key, source, view])
        store.materialize(start_date=newest - settings.features.ttl, end_date=newest)
        joined = store.get_historical_features(entity_df=keys, features=features).to_df()
    joined[TIMESTAMP] = joined[TIMESTAMP].dt.as_unit("ns")
    joined = joined.sort_values([TIMESTAMP, entity], ignore_index=True)
    asked = [{entity: each} for each in joined[entity].tail(RECORDED_REQUESTS)]
    store.get_online_features(features=features, entity_rows=asked).to_dict()
    known = FeatureView.of(settings)
    return joined, OnlineFeatures(store=config, view=known, as_of=newest)


def train_and_evaluate(
    parts: Split, settings: ModelSettings, md5: str, folder: Path
) -> tuple[Path, int]:
    """Register the fitted model, and log how the registered file does on the held-out rows."""
    import mlflow
    import mlflow.sklearn
    import skops.io
    from mlflow.data.pandas_dataset import from_pandas

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    client = mlflow.MlflowClient()
    experiment = client.create_experiment(settings.name, (folder / "mlflow").as_uri())
    with mlflow.start_run(experiment_id=experiment, tags={"dvc/md5": md5}) as run:
        model = fit(parts.train, settings)
        example = select_features(parts.train.head(), settings.feature_dtypes)
        mlflow.log_params(
            {"estimator": settings.training.estimator, **settings.training.plain_params}
        )
        data = from_pandas(parts.train, targets=settings.target.name, digest=md5)
        mlflow.log_input(data, context="training")
        info = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=settings.name,
            pyfunc_predict_fn="predict_proba",
            pip_requirements=["scikit-learn", "skops"],  # else MLflow infers them, for 13 CPU s
            signature=mlflow.models.infer_signature(example, score(model, example, "binary")),
            input_example=example,
            skops_trusted_types=sorted(TRUSTED_TYPES),
        )
    version = int(info.registered_model_version)
    path = mlflow.artifacts.download_artifacts(
        f"models:/{settings.name}/{version}", dst_path=str(folder / "download")
    )
    file = Path(path, "model.skops")
    unknown = set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED_TYPES)
    _require(not unknown, f"the model holds types outside the allow-list: {unknown}")
    estimator = skops.io.load(file, trusted=list(TRUSTED_TYPES))
    held_out = Scored.of(estimator, parts.test, settings)
    target = parts.test[settings.target.name]
    metrics = evaluate(held_out, target)
    plots = evaluation_plots(held_out.scores, target, held_out.task)
    with mlflow.start_run(run_id=run.info.run_id), tempfile.TemporaryDirectory() as pictures:
        mlflow.log_metrics(metrics)
        for name, png in plots.items():
            Path(pictures, f"{name}.png").write_bytes(png)
        mlflow.log_artifacts(pictures, "plots")
    _require(not breaches(metrics, settings.evaluation.gate), f"the gate is shut: {metrics}")
    client.set_registered_model_alias(settings.name, "champion", str(version))
    return file, version


def serve(
    model_file: Path,
    version: int,
    joined: pd.DataFrame,
    online: OnlineFeatures,
    settings: ModelSettings,
    folder: Path,
) -> None:
    """Start the BentoML server on the model and have it repeat what was recorded."""
    import skops.io

    from resources.endpoints.client import EndpointClient
    from resources.endpoints.folder import EndpointFolder
    from resources.endpoints.process import EndpointProcess, Launch

    content = model_file.read_bytes()
    estimator = skops.io.loads(content, trusted=list(TRUSTED_TYPES))
    rows = select_features(joined.tail(RECORDED_REQUESTS), settings.feature_dtypes)
    answers = score(estimator, rows, settings.target.task)
    recorded = [
        RecordedRequest(features=features, scores=tuple(map(float, answer)))
        for features, answer in zip(rows.to_dict("records"), answers, strict=True)
    ]
    servable = Servable(
        model_name=settings.name,
        model_version=version,
        task=settings.target.task,
        entity=settings.entity,
        features=settings.feature_dtypes,
        sha256=hashlib.sha256(content).hexdigest(),
        inference=Inference(reason="the plain script exports nothing"),
    )
    endpoint = EndpointFolder(folder / "endpoints" / settings.name)
    staged = endpoint.stage(servable, model_file, recorded)
    deployment = settings.deployment
    endpoint.write(endpoint.wanted(servable, staged, online, deployment))
    launch = Launch.of(deployment.port, deployment.workers)
    EndpointProcess(endpoint.path).bring(launch)
    _wait_for_a_worker(endpoint.path / "status")
    EndpointClient(launch.url).check(servable, recorded, deployment)


def _wait_for_a_worker(folder: Path, timeout_seconds: float = 120) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not (reports := list(folder.glob("*.json"))):
        _require(time.monotonic() < deadline, "no worker reported within 120 s")
        time.sleep(0.1)
    error = json.loads(reports[0].read_bytes())["error"]
    _require(error is None, f"the worker failed: {error}")


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise SystemExit(otherwise)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]))
