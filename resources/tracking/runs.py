"""MLflow runs that end as the Dagster run does.

There is one MLflow run per Dagster run and model: a retry, another step or another process goes on
in it. It stays open, RUNNING in MLflow, when `open` is left, and is closed when the outcome of the
whole Dagster run is known; `resources.tracking.outcome` says who does so.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from resources.tracking.outcome import PROCESS, Status, is_gone, on_this_host
from resources.tracking.run import MLflowRun
from resources.tracking.store import MLflowStore, not_exported

RUN_ID = "dagster/run_id"
ASSET_KEYS = "dagster/asset_key"


@dataclass(frozen=True)
class MLflowRuns:
    """Opening, finding and closing of runs."""

    store: MLflowStore

    @contextmanager
    def open(self, experiment: str, tags: Mapping[str, str]) -> Generator[MLflowRun]:
        """Open a run, as `MLflowTracking.run` says."""
        with self.store.connected() as mlflow:
            experiment_id = self.store.experiment(mlflow.MlflowClient(), experiment)
            run_id = self._find_or_create(mlflow, experiment, experiment_id, tags)
            # Or MLflow refuses to go on in a run while somebody else in this process, e.g.
            # dagster-mlflow, has another experiment active.
            with not_exported("MLFLOW_EXPERIMENT_ID"):
                mlflow.set_experiment(experiment_id=experiment_id)
            mlflow.start_run(run_id=run_id)
            status = "FAILED"
            try:
                yield MLflowRun(self.store, run_id)
                status = "FINISHED"
            finally:
                # Its end is not known yet: a retry or a gate downstream may decide otherwise.
                mlflow.end_run("RUNNING" if RUN_ID in tags else status)

    def close(self, dagster_run_id: str, status: Status, said: str = "RUNNING") -> None:
        """End every run of this Dagster run that MLflow has `said` is so, in any experiment.

        A child that is still open was killed itself, whatever became of its parent.
        """
        with self.store.connected() as mlflow:
            client = mlflow.MlflowClient()
            for run in _found(client, f"tags.`{RUN_ID}` = '{dagster_run_id}'", said):
                parent = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
                for child in _found(client, parent):
                    died = "FAILED" if status == "FINISHED" else status
                    client.set_terminated(child.info.run_id, died)
                client.set_terminated(run.info.run_id, status)

    def left_by_the_dead(self) -> set[str]:
        """Dagster ids of open runs that a process on this machine left behind."""
        with self.store.connected() as mlflow:
            here = f"tags.`{PROCESS}` LIKE '{on_this_host()}%'"
            runs = _found(mlflow.MlflowClient(), here)
            return {r.data.tags[RUN_ID] for r in runs if is_gone(r.data.tags[PROCESS])}

    def _find_or_create(
        self, mlflow: Any, experiment: str, experiment_id: str, tags: Mapping[str, str]
    ) -> str:
        """Id of the run to open, which has the tags by then."""
        client, dagster_run_id = mlflow.MlflowClient(), tags.get(RUN_ID)
        # Until it has registered a version: `MLflowRun.rename`.
        name = f"{experiment}, {datetime.now(UTC):%Y-%m-%d}"

        def create() -> str:
            return client.create_run(experiment_id, tags={**tags}, run_name=name).info.run_id

        if dagster_run_id is None:
            return create()
        with self.store.one_at_a_time():
            found, made = _oldest(client, experiment_id, dagster_run_id), ""
            if found is None:
                made = create()
                found = _oldest(client, experiment_id, dagster_run_id)
            if found is None or found.info.run_id == made:
                return made
            if made:
                client.delete_run(made)  # another machine was faster
            MLflowRun(self.store, found.info.run_id).add_tags(joined_tags(found.data.tags, tags))
            return found.info.run_id


def _found(client: Any, having: str, status: str = "RUNNING") -> list[Any]:
    experiments = [found.experiment_id for found in client.search_experiments()]
    return client.search_runs(experiments, f"{having} AND attributes.status = '{status}'")


def _oldest(client: Any, experiment_id: str, dagster_run_id: str) -> Any | None:
    found = client.search_runs(
        [experiment_id],
        f"tags.`{RUN_ID}` = '{dagster_run_id}'",
        order_by=["attributes.start_time ASC"],
        max_results=1,
    )
    return found[0] if found else None


def joined_tags(before: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Tags of a run that another asset goes on in: it names every asset that logged into it."""
    keys = {key for tags in (before, added) for key in tags.get(ASSET_KEYS, "").split(", ") if key}
    return {**added, ASSET_KEYS: ", ".join(sorted(keys))} if keys else {**added}
