"""Experiment tracking: what is logged into MLflow runs.

How runs are opened and how they end stands in `resources.tracking.runs`. Models are logged as skops
files, which hold no pickle; whether one may be loaded is decided by our own allow-list, never by
the model's.
"""

import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import Field

from mlops_assets.errors import UnsafeModelError
from mlops_assets.ml.inference.model_files import TRUSTED_TYPES, untrusted_types
from mlops_assets.records.evaluation import ModelVersion
from resources.tracking.registry import model_version
from resources.tracking.runs import MLflowRuns
from resources.tracking.store import ui_url


class MLflowTracking(MLflowRuns):
    """Everything of MLflow: parameters, metrics, models and plots of runs, and the registry."""

    mlflow_url: str = Field(
        "http://127.0.0.1:5000", description="Of the MLflow UI, if the tracking URI is none."
    )

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

    def log_model(
        self,
        model: Any,
        *,
        registered_name: str,
        example: pd.DataFrame,
        beside: Mapping[str, bytes] | None = None,
    ) -> ModelVersion:
        """Log a fitted scikit-learn model into the open run and register it.

        Args:
            model: Estimator or pipeline made of types on the allow-list.
            registered_name: The model's name in the registry.
            example: A few rows of features, as the model is fed.
            beside: Further files of the version, by name.

        Raises:
            UnsafeModelError: The model holds a type that is not on the allow-list.
        """
        with self._mlflow() as mlflow, tempfile.TemporaryDirectory() as folder:
            import mlflow.sklearn
            from mlflow.models import infer_signature

            self.refuse_unsafe(model)
            for name, content in (beside or {}).items():
                Path(folder, name).write_bytes(content)
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
                extra_files=[str(file) for file in Path(folder).iterdir()],
            )
        return model_version(registered_name, int(info.registered_model_version), self._run_id)

    def refuse_unsafe(self, model: Any) -> None:
        """Raise `UnsafeModelError` if `model` holds a type outside the allow-list."""
        import skops.io  # 9 CPU s with scikit-learn

        if unknown := untrusted_types(skops.io.dumps(model)):
            raise UnsafeModelError(
                f"the model holds types outside the allow-list: {unknown}; use another estimator, "
                "or review the types and add them to mlops_assets/ml/inference/model_files.py"
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
