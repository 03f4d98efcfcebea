"""An Airflow operator for one stage of a model's training: tasks in a row that share a Dagster run.

The first task of the row launches the run, and each follows the steps of its own assets in it: a
stage, several stages and the whole are one MLflow run. What is run again is a run of the assets
from the task on, which the tasks after it follow in their turn.
"""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import Context
from dagster_job import DagsterRunJobOperator, dag_run_of, identity, lineage
from dagster_runs import DagsterError, DagsterRun, DagsterWebserver
from dagster_steps import Attempt, Steps, is_over

_FOLLOWED = "dagster_run"
"""Where a task notes which run it followed, and as of which clearing; kept when it is cleared."""


class DagsterStageOperator(DagsterRunJobOperator):
    """Follow some assets of the training run of a model.

    The task succeeds when their steps and checks have, and fails with the reason of the first that
    has not. A retry, and a task that was cleared, runs the job again from its own assets on, in a
    run that Dagster shows as part of the first.

    Args:
        model: E.g. `customers`; the job is `customers_training`.
        stages: Of its assets, e.g. `("raw_data", "processed_data")`.
        kwargs: As of `DagsterRunJobOperator`.
    """

    template_fields = ()

    def __init__(self, *, model: str, stages: Sequence[str], **kwargs: Any) -> None:
        super().__init__(job_name=f"{model}_training", **kwargs)
        self.model, self.stages = model, tuple(stages)
        self.assets = tuple(f"{model}/{stage}" for stage in stages)

    def find_or_launch(self, server: DagsterWebserver, context: Context) -> DagsterRun:
        """The run that the task before this one left, or one from this stage on."""
        ti, notes = context["ti"], context["task_state_store"]
        before = self._before()
        launchers = {self.task_id, *(task.task_id for task in before)}
        run = server.newest(self.job_name, dag_run_of(context), launchers)
        steps = Steps.of(self.assets, server.events(run.run_id)) if run else Steps(self.assets)
        if run is None or is_over(run.status, steps, attempt_of(context, run, self.retries)):
            tags = {"airflow/clear_number": str(context["dag_run"].clear_number or 0)}
            tags |= identity(context) | lineage(context)
            without = {asset for task in before for asset in task.assets} if run else set()
            run = server.launch(self.job_name, tags, without, again=run)
            steps = Steps.of(self.assets, server.events(run.run_id))
        if not steps.states:
            raise DagsterError(
                f"{self.job_name}: its run {server.run_url(run.run_id)} has none of the assets "
                f"{list(self.assets)}; correct `stages` of the task {self.task_id}"
            )
        notes.set(_FOLLOWED, {"run_id": run.run_id, "max_tries": ti.max_tries})
        return run

    def _before(self) -> list["DagsterStageOperator"]:
        """The tasks of the same model before this one."""
        tasks = self.get_flat_relatives(upstream=True)
        stages = [task for task in tasks if isinstance(task, DagsterStageOperator)]
        return [task for task in stages if task.model == self.model]


def attempt_of(context: Context, run: DagsterRun, retries: int) -> Attempt:
    """What Airflow knows of this try."""
    ti, seen = context["ti"], context["task_state_store"].get(_FOLLOWED)
    # Clearing sets it to as many retries as there are, on top of the tries until then.
    is_retry = ti.try_number > ti.max_tries - retries + 1
    if seen:
        again = seen["max_tries"] != ti.max_tries and seen["run_id"] == run.run_id
    else:  # it never followed one, or Airflow was told to forget
        now = context["dag_run"].clear_number or 0
        before = int(run.tags.get("airflow/clear_number", 0)) < now
        again = ti.max_tries > retries and before
    return Attempt(is_retry, again)
