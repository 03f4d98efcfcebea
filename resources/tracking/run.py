"""One MLflow run: what is logged into it, and what can be read of it.

How runs are opened and how they end stands in `resources.tracking.runs`. Models are logged as skops
files, which hold no pickle; whether one may be loaded is decided by our own allow-list, never by
the model's.
"""

import json
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from mlops_assets.errors import UnsafeModelError
from mlops_assets.ml.inference.trusted_types import TRUSTED_TYPES
from mlops_assets.records.evaluation import ModelVersion
from resources.tracking.registry import model_version
from resources.tracking.store import MLflowStore

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.ml.file_part import Part


@dataclass(frozen=True)
class MLflowRun:
    """The run that is open, or one of earlier: a version is documented in the run of its training.

    Datasets, models and child runs need the open one.
    """

    store: MLflowStore
    id: str

    @contextmanager
    def child(self, name: str, tags: Mapping[str, str] | None = None) -> Generator[Self]:
        """Open a run below this one, e.g. a trial; FAILED when the body raises."""
        with self.store.connected() as mlflow:
            experiment_id = mlflow.active_run().info.experiment_id
            opened = mlflow.start_run(
                experiment_id=experiment_id, run_name=name, nested=True, tags=dict(tags or {})
            )
            with opened as child:
                yield replace(self, id=child.info.run_id)

    def tags(self) -> dict[str, str]:
        """All of its tags."""
        with self.store.connected() as mlflow:
            return dict(mlflow.MlflowClient().get_run(self.id).data.tags)

    def add_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the run with what is known only now, e.g. a hash of its predictions."""
        with self.store.connected() as mlflow:
            entities = [mlflow.entities.RunTag(name, value) for name, value in tags.items()]
            mlflow.MlflowClient().log_batch(self.id, tags=entities)

    def rename(self, name: str) -> None:
        """What people call the run."""
        with self.store.connected() as mlflow:
            mlflow.MlflowClient().update_run(self.id, name=name)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics, in one batch."""
        with self.store.connected() as mlflow:
            now = int(time.time() * 1000)
            entities = [mlflow.entities.Metric(name, v, now, 0) for name, v in metrics.items()]
            mlflow.MlflowClient().log_batch(self.id, metrics=entities)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters, in one batch."""
        with self.store.connected() as mlflow:
            mlflow.log_params(dict(params), run_id=self.id)

    def log_plots(self, plots: Mapping[str, bytes]) -> None:
        """Keep PNG pictures, by name."""
        with self.store.with_files() as mlflow, tempfile.TemporaryDirectory() as folder:
            for name, png in plots.items():
                Path(folder, f"{name}.png").write_bytes(png)
            mlflow.log_artifacts(folder, "plots", run_id=self.id)

    def log_text(self, name: str, text: str) -> None:
        """Keep `text` as the artifact `name`."""
        with self.store.with_files() as mlflow:
            mlflow.log_text(text, name, run_id=self.id)

    def read_text(self, name: str) -> str | None:
        """What `log_text` kept; None if there is none of that name."""
        with self.store.with_files() as mlflow:
            files = mlflow.MlflowClient().list_artifacts(self.id)
            if name not in [file.path for file in files]:
                return None
            return mlflow.artifacts.load_text(f"runs:/{self.id}/{name}")

    def log_dataset(self, rows: "Part", *, name: str, digest: str, target: str) -> None:
        """Log which rows the run was trained on; `digest` is the raw data's md5.

        MLflow looks at each cell to infer a schema, 11 CPU s of a million rows of 20 columns. It
        is shown a sample, in which every column that lacks a value lacks one; the profile says of
        how many rows the table is and the sample was.
        """
        sample = schema_sample(rows)
        with self.store.connected() as mlflow:
            data = mlflow.data.from_pandas(sample, name=name, targets=target, digest=digest[:36])
            profile = {"num_rows": len(rows), "num_elements": rows.size, "schema_of": len(sample)}
            entity = mlflow.entities.Dataset(**{**data.to_dict(), "profile": json.dumps(profile)})
            context = mlflow.entities.InputTag("mlflow.data.context", "training")
            logged = mlflow.entities.DatasetInput(entity, tags=[context])
            mlflow.MlflowClient().log_inputs(self.id, datasets=[logged])

    def log_model(
        self,
        model: Any,
        *,
        registered_name: str,
        example: "pd.DataFrame",
        beside: Mapping[str, bytes] | None = None,
        own: Sequence[str] = (),
    ) -> ModelVersion:
        """Log a fitted scikit-learn model and register it, with files `beside` it by their names.

        The example is of a few rows of features, as the model is fed. A type that is neither on the
        allow-list nor among its `own` is refused by `UnsafeModelError`.
        """
        with self.store.with_files() as mlflow, tempfile.TemporaryDirectory() as folder:
            import mlflow.sklearn
            from mlflow.models import infer_signature

            libraries = refuse_unsafe(model, own)
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
                    f"{name}=={installed_version(name)}"
                    for name in ("scikit-learn", "skops", *libraries)
                ],
                signature=infer_signature(example, output),
                input_example=example,
                skops_trusted_types=sorted({*TRUSTED_TYPES, *own}),
                extra_files=[str(file) for file in Path(folder).iterdir()],
            )
        return model_version(registered_name, int(info.registered_model_version), self.id)


def schema_sample(rows: "Part", at_most: int = 1_000) -> "pd.DataFrame":
    """About so many rows from all over; a column that somewhere lacks a value lacks one here."""
    even = range(0, len(rows), -(-len(rows) // at_most) or 1)
    absent = (column.isna().to_numpy() for _, column in rows.items())
    lacking = {int(missing.argmax()) for missing in absent if missing.any()}
    return rows.take(sorted({*even, *lacking}))


def refuse_unsafe(model: Any, own: Sequence[str] = ()) -> list[str]:
    """Names of the distributions that its file needs beside scikit-learn.

    Raises:
        UnsafeModelError: The model holds a type that is neither on the allow-list nor among `own`.
    """
    import skops.io  # 9 CPU s with scikit-learn

    from mlops_assets.ml.inference.model_files import distributions_in, untrusted_types

    content = skops.io.dumps(model)
    if unknown := untrusted_types(content, own):
        raise UnsafeModelError(
            f"the model holds types outside the allow-list: {unknown}; use another estimator, "
            "or review the types and name them in training.trusted_types"
        )
    return distributions_in(content)
