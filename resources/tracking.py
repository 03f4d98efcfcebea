"""Experiment tracking: MLflow runs that say how the Dagster run ended.

There is one MLflow run per Dagster run and model: a retry, another step or another process goes on
in it. It stays open, RUNNING in MLflow, when `run()` is left, and is closed when the outcome of the
whole Dagster run is known; `resources.run_outcome` says who does so. Nothing is exported to
children. Models are logged as skops files, which hold no pickle; whether one may be loaded is
decided by our own allow-list, never by the model's.
"""

import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field, PrivateAttr

from mlops_assets.atomic import ensure_folder, exclusive
from mlops_assets.errors import UnsafeModelError
from mlops_assets.ml.model_files import TRUSTED_TYPES, untrusted_types
from mlops_assets.records.evaluation import ModelVersion
from resources.mlflow_registry import MLflowRegistry
from resources.mlflow_store import ui_url
from resources.run_outcome import (
    PROCESS,
    Status,
    finish,
    is_gone,
    mark_open,
    on_this_host,
    settle,
    settle_orphans,
    this_process,
)

RUN_ID = "dagster/run_id"
ASSET_KEYS = "dagster/asset_key"


class MLflowTracking(MLflowRegistry):
    """Runs, what is logged into them, and the registry."""

    dagster_url: str = Field(
        "http://127.0.0.1:3000", description="Of the Dagster UI, for the links that runs carry."
    )
    mlflow_url: str = Field(
        "http://127.0.0.1:5000", description="Of the MLflow UI, if the tracking URI is none."
    )
    _instance: dg.DagsterInstance | None = PrivateAttr(None)
    _dagster_run: dg.DagsterRun | None = PrivateAttr(None)
    _experiment_id: str = PrivateAttr("")
    _run_id: str = PrivateAttr("")

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Remember the Dagster run that the MLflow runs belong to."""
        self._instance, self._dagster_run = context.instance, context.run

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close what the Dagster run left open, unless an executor of ours does it later."""
        instance = context.instance
        run = instance.get_run_by_id(context.run.run_id) if instance and context.run else None
        if instance and run and PROCESS not in run.tags:
            failures = instance.all_logs(run.run_id, dg.DagsterEventType.STEP_FAILURE)
            finish(instance, run.run_id, self, failed=bool(failures))

    @contextmanager
    def run(self, experiment: str, tags: Mapping[str, str]) -> Generator[str]:
        """Open an MLflow run and yield its id.

        With the tag `dagster/run_id` it is the one run of that Dagster run in the experiment, and
        stays open afterwards, also when the body raises. Without, it ends with the body: FINISHED,
        or FAILED when that raises.

        Raises:
            TrackingUnavailableError: The server does not answer.
            TrackingError: MLflow refused.
        """
        instance, run = self._instance, self._dagster_run
        if instance is None or run is None or tags.get(RUN_ID) != run.run_id:
            with self._open(experiment, tags) as opened:
                yield opened
            return
        settle(instance, self)
        settle_orphans(instance, self)
        mark_open(instance, run.run_id)
        where = run.tags.get(PROCESS, this_process())
        with self._open(experiment, {PROCESS: where, **tags}) as opened:
            yield opened

    @contextmanager
    def _open(self, experiment: str, tags: Mapping[str, str]) -> Generator[str]:
        with self._mlflow() as mlflow:
            client = mlflow.MlflowClient()
            self._experiment_id = self._experiment(client, experiment)
            self._run_id, joined = self._find_or_create(client, experiment, tags)
            mlflow.start_run(run_id=self._run_id, tags=joined)
            status = "FAILED"
            try:
                yield self._run_id
                status = "FINISHED"
            finally:
                # Its end is not known yet: a retry or a gate downstream may decide otherwise.
                mlflow.end_run("RUNNING" if RUN_ID in tags else status)

    def close(self, dagster_run_id: str, status: Status) -> None:
        """End every run that this Dagster run left open, in any experiment.

        A child that is still open was killed itself, whatever became of its parent.
        """
        with self._mlflow() as mlflow:
            client = mlflow.MlflowClient()
            for run in self._running(client, f"tags.`{RUN_ID}` = '{dagster_run_id}'"):
                parent = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
                for child in self._running(client, parent):
                    died = "FAILED" if status == "FINISHED" else status
                    client.set_terminated(child.info.run_id, died)
                client.set_terminated(run.info.run_id, status)

    def left_by_the_dead(self) -> set[str]:
        """Dagster ids of open runs that a process on this machine left behind."""
        with self._mlflow() as mlflow:
            here = f"tags.`{PROCESS}` LIKE '{on_this_host()}%'"
            runs = self._running(mlflow.MlflowClient(), here)
            return {r.data.tags[RUN_ID] for r in runs if is_gone(r.data.tags[PROCESS])}

    @contextmanager
    def child_run(self, name: str, tags: Mapping[str, str] | None = None) -> Generator[str]:
        """Open a run below the open one, e.g. a trial; FAILED when the body raises.

        Within the body everything is logged into the child.
        """
        parent = self._run_id
        with self._mlflow() as mlflow:
            opened = mlflow.start_run(
                experiment_id=self._experiment_id, run_name=name, nested=True, tags=dict(tags or {})
            )
            with opened as child:
                self._run_id = child.info.run_id
                try:
                    yield self._run_id
                finally:
                    self._run_id = parent

    def run_tags(self, context: dg.AssetExecutionContext) -> dict[str, str]:
        """The tags by which an MLflow run is found from its Dagster run, and leads back to it."""
        run_id = context.run.run_id
        tags = {
            RUN_ID: run_id,
            "dagster/run_url": f"{self.dagster_url.rstrip('/')}/runs/{run_id}",
            ASSET_KEYS: context.asset_key.to_user_string(),
        }
        if context.has_partition_key:
            tags["dagster/partition"] = context.partition_key
        elif context.has_partition_key_range:
            keys = context.partition_key_range
            tags["dagster/partition"] = f"{keys.start}...{keys.end}"
        return tags

    def links(self, model: ModelVersion) -> dict[str, str]:
        """Addresses of the version and its run in the MLflow UI."""
        with self._mlflow() as mlflow:
            experiment_id = mlflow.MlflowClient().get_run(model.run_id).info.experiment_id
        base = f"{ui_url(self.tracking_uri, self.mlflow_url)}/#"
        return {
            "mlflow_run": f"{base}/experiments/{experiment_id}/runs/{model.run_id}",
            "mlflow_version": f"{base}/models/{model.name}/versions/{model.version}",
        }

    def add_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the open run with what is known only now, e.g. a hash of its predictions."""
        with self._mlflow() as mlflow:
            mlflow.set_tags(dict(tags))

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics into the open run, in one batch."""
        with self._mlflow() as mlflow:
            mlflow.log_metrics(dict(metrics))

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters into the open run."""
        with self._mlflow() as mlflow:
            mlflow.log_params(dict(params))

    def log_dataset(self, rows: pd.DataFrame, *, name: str, digest: str, target: str) -> None:
        """Log which rows the open run was trained on; `digest` is the raw data's md5."""
        with self._mlflow() as mlflow:
            data = mlflow.data.from_pandas(rows, name=name, targets=target, digest=digest[:36])
            mlflow.log_input(data, context="training")

    def log_model(self, model: Any, *, registered_name: str, example: pd.DataFrame) -> ModelVersion:
        """Log a fitted scikit-learn model into the open run and register it.

        Args:
            model: Estimator or pipeline made of types on the allow-list.
            registered_name: The model's name in the registry.
            example: A few rows of features, as the model is fed.

        Raises:
            UnsafeModelError: The model holds a type that is not on the allow-list.
        """
        with self._mlflow() as mlflow:
            import mlflow.sklearn
            from mlflow.models import infer_signature

            self.refuse_unsafe(model)
            classifier = hasattr(model, "predict_proba")
            output = model.predict_proba(example) if classifier else model.predict(example)
            info = mlflow.sklearn.log_model(
                model,
                name="model",
                registered_model_name=registered_name,
                pyfunc_predict_fn="predict_proba" if classifier else "predict",
                # Named, because MLflow's own inference of them takes 13 s a model.
                pip_requirements=[
                    f"{name}=={installed_version(name)}" for name in ("scikit-learn", "skops")
                ],
                signature=infer_signature(example, output),
                input_example=example,
                skops_trusted_types=sorted(TRUSTED_TYPES),
            )
        number = int(info.registered_model_version)
        return ModelVersion(
            name=registered_name,
            version=number,
            run_id=self._run_id,
            uri=f"models:/{registered_name}/{number}",
        )

    def refuse_unsafe(self, model: Any) -> None:
        """Raise `UnsafeModelError` if `model` holds a type outside the allow-list."""
        import skops.io  # 9 CPU s with scikit-learn

        if unknown := untrusted_types(skops.io.dumps(model)):
            raise UnsafeModelError(
                f"the model holds types outside the allow-list: {unknown}; use another estimator, "
                "or review the types and add them to mlops_assets/ml/model_files.py"
            )

    def log_evaluation(
        self, model: ModelVersion, metrics: Mapping[str, float], plots: Mapping[str, bytes]
    ) -> None:
        """Add metrics and PNG plots to the run that trained `model`, which need not be open."""
        with self._mlflow() as mlflow:
            client = mlflow.MlflowClient()
            entities = [
                mlflow.entities.Metric(name, value, int(time.time() * 1000), 0)
                for name, value in metrics.items()
            ]
            client.log_batch(model.run_id, metrics=entities)
            with tempfile.TemporaryDirectory() as folder:
                for name, png in plots.items():
                    Path(folder, f"{name}.png").write_bytes(png)
                client.log_artifacts(model.run_id, folder, artifact_path="plots")

    def log_text(self, model: ModelVersion, name: str, text: str) -> None:
        """Keep `text` as the artifact `name` of the run that trained `model`."""
        with self._mlflow() as mlflow:
            mlflow.MlflowClient().log_text(model.run_id, text, name)

    def _find_or_create(
        self, client: Any, experiment: str, tags: Mapping[str, str]
    ) -> tuple[str, dict[str, str]]:
        """Id of the run to open, and the tags to give it."""
        if RUN_ID not in tags:
            return client.create_run(self._experiment_id, run_name=experiment).info.run_id, {**tags}
        with self._opening():
            if found := self._oldest(client, tags[RUN_ID]):
                return found.info.run_id, joined_tags(found.data.tags, tags)
            made = client.create_run(
                self._experiment_id, tags={**tags}, run_name=tags[RUN_ID][:8]
            ).info.run_id
            first = self._oldest(client, tags[RUN_ID])
        if first is None or first.info.run_id == made:
            return made, {**tags}
        client.delete_run(made)  # another machine was faster
        return first.info.run_id, joined_tags(first.data.tags, tags)

    def _running(self, client: Any, having: str) -> list[Any]:
        experiments = [found.experiment_id for found in client.search_experiments()]
        return client.search_runs(experiments, f"{having} AND attributes.status = 'RUNNING'")

    def _opening(self) -> AbstractContextManager[None]:
        """Steps of one run on this machine open it one after the other."""
        if "://" in self.artifacts:
            return nullcontext()
        return exclusive(ensure_folder(Path(self.artifacts).absolute()) / ".lock")

    def _oldest(self, client: Any, dagster_run_id: str) -> Any | None:
        found = client.search_runs(
            [self._experiment_id],
            f"tags.`{RUN_ID}` = '{dagster_run_id}'",
            order_by=["attributes.start_time ASC"],
            max_results=1,
        )
        return found[0] if found else None


def joined_tags(before: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Tags of a run that another asset goes on in: it names every asset that logged into it."""
    keys = {key for tags in (before, added) for key in tags.get(ASSET_KEYS, "").split(", ") if key}
    return {**added, ASSET_KEYS: ", ".join(sorted(keys))} if keys else {**added}
