"""MLflow runs that end as the Dagster run does.

There is one MLflow run per Dagster run and model: a retry, another step or another process goes on
in it. It stays open, RUNNING in MLflow, when `run()` is left, and is closed when the outcome of the
whole Dagster run is known; `resources.tracking.outcome` says who does so.
"""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr

from mlops_assets.runtime.atomic import ensure_folder, exclusive
from resources.tracking.outcome import (
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
from resources.tracking.registry import MLflowRegistry
from resources.tracking.store import not_exported

RUN_ID = "dagster/run_id"
ASSET_KEYS = "dagster/asset_key"


class MLflowRuns(MLflowRegistry):
    """Opening, finding and closing of runs."""

    dagster_url: str = Field(
        "http://127.0.0.1:3000", description="Of the Dagster UI, for the links that runs carry."
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
        stored = instance.get_run_by_id(run.run_id) or run  # `run` is older than the tag
        where = stored.tags.get(PROCESS, this_process())
        with self._open(experiment, {PROCESS: where, **tags}) as opened:
            yield opened

    @contextmanager
    def _open(self, experiment: str, tags: Mapping[str, str]) -> Generator[str]:
        with self._mlflow() as mlflow:
            self._experiment_id = self._experiment(mlflow.MlflowClient(), experiment)
            self._run_id = self._find_or_create(mlflow, experiment, tags)
            # Or MLflow refuses to go on in a run while somebody else in this process, e.g.
            # dagster-mlflow, has another experiment active.
            with not_exported("MLFLOW_EXPERIMENT_ID"):
                mlflow.set_experiment(experiment_id=self._experiment_id)
            mlflow.start_run(run_id=self._run_id)
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

    def _find_or_create(self, mlflow: Any, experiment: str, tags: Mapping[str, str]) -> str:
        """Id of the run to open, which has the tags by then."""
        client, dagster_run_id = mlflow.MlflowClient(), tags.get(RUN_ID)
        if dagster_run_id is None:
            return self._create(client, experiment, tags)
        with self._opening():
            found, made = self._oldest(client, dagster_run_id), ""
            if found is None:
                made = self._create(client, dagster_run_id[:8], tags)
                found = self._oldest(client, dagster_run_id)
            if found is None or found.info.run_id == made:
                return made
            if made:
                client.delete_run(made)  # another machine was faster
            joined = joined_tags(found.data.tags, tags)
            entities = [mlflow.entities.RunTag(key, value) for key, value in joined.items()]
            client.log_batch(found.info.run_id, tags=entities)
            return found.info.run_id

    def _create(self, client: Any, name: str, tags: Mapping[str, str]) -> str:
        return client.create_run(self._experiment_id, tags={**tags}, run_name=name).info.run_id

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
