"""Experiment tracking and model registry: MLflow.

No open MLflow run outlives `run()`, and nothing is exported to children. Models are logged as
skops files, which hold no pickle; whether one may be loaded is decided by our own allow-list, never
by the model's.
"""

import logging
import os
import socket
import tempfile
import time
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
import pandas as pd
from pydantic import Field, PrivateAttr

from mlops_assets.atomic import ensure_folder, exclusive
from mlops_assets.errors import TrackingError, TrackingUnavailableError, UnsafeModelError
from mlops_assets.ml.model_files import TRUSTED_TYPES, untrusted_types
from mlops_assets.records.evaluation import ModelVersion


class MLflowTracking(dg.ConfigurableResource):
    """A tracking server, or a local sqlite store that is created on first use."""

    tracking_uri: str = Field(
        description="E.g. `sqlite:////srv/mlflow.db` or `http://mlflow:5000`."
    )
    artifacts: str = Field(description="Where the artifacts of new experiments go: folder or URI.")
    timeout_seconds: int = Field(5, ge=1, description="For a server to accept a connection.")
    _run_id: str = PrivateAttr("")

    @contextmanager
    def run(self, experiment: str, tags: Mapping[str, str]) -> Generator[str]:
        """Open an MLflow run and yield its id; a body that raises leaves it FAILED.

        Raises:
            TrackingUnavailableError: The server does not answer.
            TrackingError: MLflow refused.
        """
        with self._mlflow() as mlflow:
            run_name = tags.get("dagster/run_id", experiment)[:8]
            experiment_id = self._experiment(mlflow.MlflowClient(), experiment)
            with mlflow.start_run(
                experiment_id=experiment_id, run_name=run_name, tags=dict(tags)
            ) as run:
                self._run_id = run.info.run_id
                yield self._run_id

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

    def download_model(self, model: ModelVersion, folder: Path) -> Path:
        """Fetch the version's files into `folder` and return its `model.skops`, not loaded.

        Raises:
            TrackingError: The registry has no such version, or it is no skops model.
        """
        with self._mlflow() as mlflow:
            path = Path(mlflow.artifacts.download_artifacts(model.uri, dst_path=str(folder)))
        file = path / "model.skops"
        if not file.exists():
            raise TrackingError(
                f"{model.uri} has no model.skops but {sorted(p.name for p in path.iterdir())}; "
                "only models logged in the skops format can be served"
            )
        return file

    def set_alias(self, model: ModelVersion, alias: str) -> None:
        """Point `alias` at the version."""
        with self._mlflow() as mlflow:
            mlflow.MlflowClient().set_registered_model_alias(model.name, alias, str(model.version))

    def version_by_alias(self, name: str, alias: str) -> ModelVersion | None:
        """The version behind an alias; None when the model or the alias does not exist."""
        with self._mlflow() as mlflow:
            client = mlflow.MlflowClient()
            found = client.search_registered_models(filter_string=f"name='{name}'")
            number = found[0].aliases.get(alias) if found else None
            if number is None:
                return None
            run_id = client.get_model_version(name, number).run_id
        return ModelVersion(
            name=name, version=int(number), run_id=run_id, uri=f"models:/{name}/{number}"
        )

    def version(self, name: str, number: int) -> ModelVersion | None:
        """One version of a model; None when the registry does not have it."""
        with self._mlflow() as mlflow:
            from mlflow.exceptions import MlflowException

            try:
                run_id = mlflow.MlflowClient().get_model_version(name, str(number)).run_id
            except MlflowException as err:
                if err.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return None
        return ModelVersion(
            name=name, version=number, run_id=run_id, uri=f"models:/{name}/{number}"
        )

    def tags(self, model: ModelVersion) -> dict[str, str]:
        """Tags of the run that trained the version."""
        with self._mlflow() as mlflow:
            return dict(mlflow.MlflowClient().get_run(model.run_id).data.tags)

    @contextmanager
    def _mlflow(self) -> Generator[Any]:
        """MLflow, pointed at this store; its errors become ours."""
        self._require_server()
        # Its defaults retry an unreachable server for 261 s.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        import mlflow  # 2-6 CPU s
        from mlflow.exceptions import MlflowException

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        exported = os.environ.get("MLFLOW_TRACKING_URI")
        mlflow.set_tracking_uri(self.tracking_uri)
        # MLflow exports it to every child, whose own store may be another one.
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        if exported is not None:
            os.environ["MLFLOW_TRACKING_URI"] = exported
        self._create_store(mlflow)
        try:
            yield mlflow
        except MlflowException as err:
            raise TrackingError(f"MLflow at {self.tracking_uri} refused: {err.message}") from err

    def _require_server(self) -> None:
        parts = urlsplit(self.tracking_uri)
        if parts.scheme not in ("http", "https"):
            return
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection((parts.hostname or "", port), self.timeout_seconds).close()
        except OSError as err:
            raise TrackingUnavailableError(
                f"no MLflow server answers at {parts.hostname}:{port} ({err}); start it, "
                "or correct MLFLOW_TRACKING_URI"
            ) from err

    def _create_store(self, mlflow: Any) -> None:
        """Create the schema once: processes that race to do it break each other's."""
        if not self.tracking_uri.startswith("sqlite:///"):
            return
        database = Path(self.tracking_uri.removeprefix("sqlite:///"))
        if database.exists() and database.with_suffix(".ready").exists():
            return
        with exclusive(database.with_suffix(".lock")), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of SQLAlchemy, about MLflow
            mlflow.MlflowClient().search_experiments(max_results=1)
            database.with_suffix(".ready").touch()

    def _experiment(self, client: Any, name: str) -> str:
        """Find or create the experiment; its location cannot be changed later."""
        if found := client.get_experiment_by_name(name):
            return found.experiment_id
        if "://" in self.artifacts:
            return client.create_experiment(name, f"{self.artifacts.rstrip('/')}/{name}")
        folder = ensure_folder(Path(self.artifacts).absolute())
        with exclusive(folder / ".lock"):
            found = client.get_experiment_by_name(name)
            location = (folder / name).as_uri()
            return found.experiment_id if found else client.create_experiment(name, location)
