"""The resource `tracking`: MLflow as Dagster configures it, opens it for a run, and tears it down.

It holds small objects with one duty each: the connection is in `store`, versions are in `registry`,
what opens and closes runs is in `runs`, and what is logged in `run`.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import dagster as dg
from pydantic import Field, PrivateAttr

from mlops_assets.records.evaluation import ModelVersion
from resources.tracking.outcome import (
    PROCESS,
    finish,
    mark_open,
    settle,
    settle_orphans,
    this_process,
)
from resources.tracking.registry import MLflowRegistry
from resources.tracking.run import MLflowRun
from resources.tracking.runs import ASSET_KEYS, RUN_ID, MLflowRuns
from resources.tracking.store import MLflowStore, store_uri, ui_page, ui_url


class MLflowTracking(dg.ConfigurableResource):
    """Everything of MLflow: `with tracking.run(...) as run`, `tracking.registry`, and the rest.

    What it refuses is a `TrackingError`; a server that is down, a `TrackingUnavailableError`.
    """

    tracking_uri: str = Field(
        description="E.g. `sqlite:////srv/mlflow.db` or `http://mlflow:5000`."
    )
    database: str = Field(
        "", description="A Postgres, of which MLflow gets the schema `mlflow`; else `tracking_uri`."
    )
    artifacts: str = Field(description="Where the artifacts of new experiments go: folder or URI.")
    timeout_seconds: int = Field(5, ge=1, description="For a server to accept a connection.")
    dagster_url: str = Field(
        "http://127.0.0.1:3000", description="Of the Dagster UI, for the links that runs carry."
    )
    mlflow_url: str = Field(
        "http://127.0.0.1:5000", description="Of the MLflow UI, if the tracking URI is none."
    )
    _instance: dg.DagsterInstance | None = PrivateAttr(None)
    _dagster_run: dg.DagsterRun | None = PrivateAttr(None)

    @property
    def store(self) -> MLflowStore:
        """The connection; made anew, since only at run time the fields hold no variables."""
        uri = store_uri(self.tracking_uri, self.database)
        return MLflowStore(uri, self.artifacts, self.timeout_seconds)

    @property
    def registry(self) -> MLflowRegistry:
        """Versions, their files and aliases."""
        return MLflowRegistry(self.store)

    @property
    def runs(self) -> MLflowRuns:
        """What was left open, and closing it."""
        return MLflowRuns(self.store)

    def run_of(self, model: ModelVersion) -> MLflowRun:
        """The run that trained a version, with all that was logged beside it."""
        return MLflowRun(self.store, model.run_id)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Remember the Dagster run that the MLflow runs belong to."""
        self._instance, self._dagster_run = context.instance, context.run

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Close what the Dagster run left open, unless an executor of ours does it later."""
        instance = context.instance
        run = instance.get_run_by_id(context.run.run_id) if instance and context.run else None
        if instance and run and PROCESS not in run.tags:
            failures = instance.all_logs(run.run_id, dg.DagsterEventType.STEP_FAILURE)
            finish(instance, run.run_id, self.runs, failed=bool(failures))

    @contextmanager
    def run(self, experiment: str, tags: Mapping[str, str]) -> Generator[MLflowRun]:
        """Open an MLflow run.

        With the tag `dagster/run_id` it is the one run of that Dagster run in the experiment, and
        stays open afterwards, also when the body raises. Without, it ends with the body: FINISHED,
        or FAILED when that raises.
        """
        instance, run = self._instance, self._dagster_run
        if instance and run and tags.get(RUN_ID) == run.run_id:
            settle(instance, self.runs)
            settle_orphans(instance, self.runs)
            mark_open(instance, run.run_id)
            stored = instance.get_run_by_id(run.run_id) or run  # `run` is older than the tag
            tags = {PROCESS: stored.tags.get(PROCESS, this_process()), **tags}
        with self.runs.open(experiment, tags) as opened:
            yield opened

    def run_tags(self, context: dg.AssetExecutionContext) -> dict[str, str]:
        """The tags by which an MLflow run is found from its Dagster run, and leads back to it."""
        run_id = context.run.run_id
        tags = {
            RUN_ID: run_id,
            "dagster/run_url": f"{ui_url(self.dagster_url, self.dagster_url)}/runs/{run_id}",
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
        with self.store.connected() as mlflow:
            experiment_id = mlflow.MlflowClient().get_run(model.run_id).info.experiment_id
        places = {
            "mlflow_run": f"experiments/{experiment_id}/runs/{model.run_id}",
            "mlflow_version": f"models/{model.name}/versions/{model.version}",
        }
        uri, otherwise = self.store.tracking_uri, self.mlflow_url
        return {name: ui_page(uri, otherwise, place) for name, place in places.items()}
