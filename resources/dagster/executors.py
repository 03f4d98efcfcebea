"""Executors: a canceled run ends, MLflow is told how, and a cluster what each step needs.

Which executor is taken is for `mlops_assets.definitions` to say.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.blocks.cluster import ComputeSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ConfigError
from mlops_assets.keys import FIRST_OF_RANGE, PARTITION, tags_of_now
from resources.dagster.cancellation import INTERRUPTS, Cancellation, send_ignored_again
from resources.dagster.internals import InMemoryJob, execute_run, with_tags, without_mirror
from resources.tracking.outcome import CANCELED, PROCESS, finish, mark_process, process_of_run
from resources.tracking.tracking import MLflowTracking

if TYPE_CHECKING:
    from resources.dagster.internals import (
        ExecutionPlan,
        PlanOrchestrationContext,
        RetryMode,
        StepDependencyConfig,
    )


_MOVES = ("_deployed_endpoint", "roll_back", "promote", "restore")
"""Ends of the names of steps that move an endpoint."""
_GRACE = "termination_grace_period_seconds"
_SETTLING = timedelta(minutes=1)


def followed(executor: dg.ExecutorDefinition, tracking: MLflowTracking) -> dg.ExecutorDefinition:
    """The same executor; a canceled run ends with its step, and its MLflow runs are closed.

    Dagster comes here in each process that runs a step, to load the code location.
    """
    send_ignored_again()
    return changed(executor, lambda created: _Followed(created, tracking, executor.name))


def changed(
    executor: dg.ExecutorDefinition, change: Callable[[dg.Executor], dg.Executor]
) -> dg.ExecutorDefinition:
    """The same definition, of executors that are changed when they are created."""
    start = executor.executor_creation_fn
    if start is None:
        raise ConfigError(f"the executor {executor.name!r} cannot be created; use another one")
    schema: Any = executor.config_schema
    return dg.ExecutorDefinition(
        name=executor.name,
        config_schema=schema,
        requirements=executor.get_requirements,
        executor_creation_fn=lambda context: change(start(context)),
        description=executor.description,
    )


def execute_here(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    tracking: MLflowTracking,
    *,
    assets: Sequence[dg.AssetKey] | None,
    tags: Mapping[str, str],
    run_config: Mapping[str, Any],
) -> dg.JobExecutionResult:
    """Materialize assets of a job, by default all, in this process; a failure is in the result.

    Raises:
        KeyboardInterrupt: The run was canceled, here or from elsewhere, and has ended.
    """
    # `execute_in_process` brings an executor of its own, which makes a failure of Ctrl-C.
    job = job.with_executor_def(followed(dg.in_process_executor, tracking))
    run_id = str(uuid.uuid4())
    try:
        run = instance.create_run_for_job(
            job,
            run_id=run_id,
            asset_selection=set(assets) if assets else None,
            tags={**tags, PROCESS: process_of_run(run_id)},
            run_config=run_config,
        )
        with without_mirror():
            result = execute_run(InMemoryJob(job), run, instance)
    except KeyboardInterrupt:  # before the first step
        left = instance.get_run_by_id(run_id)
        if left and not left.is_finished:
            instance.report_run_canceled(left, "Interrupted where it was started.")
        raise
    if result.dagster_run.status in CANCELED:
        raise KeyboardInterrupt
    return result


def pods_of_steps(models: Iterable[ModelSettings]) -> dict[str, dict[str, Any]]:
    """Step -> its pod, as `k8s_job_executor` takes it, of those that ask for something.

    Where an endpoint of a cluster is moved, a canceled step has the time to put back what served.
    """
    pods: dict[str, dict[str, Any]] = {}
    for model in models:
        for asset, compute in model.compute.items():
            pods[f"{model.name}__{asset}"] = _pod(compute)
        if cluster := model.deployment.cluster:
            grace = int((cluster.start_timeout + _SETTLING).total_seconds())
            for step in _MOVES:
                pod = pods.setdefault(f"{model.name}_{step}", {})
                pod.setdefault("pod_spec_config", {})[_GRACE] = grace
    return pods


def _pod(compute: ComputeSettings) -> dict[str, Any]:
    memory = {"memory": compute.memory} if compute.memory else {}
    gpu = {"nvidia.com/gpu": str(compute.gpu)} if compute.gpu else {}
    cpu = {"cpu": compute.cpu} if compute.cpu else {}
    resources = {"requests": {**cpu, **memory, **gpu}, "limits": {**memory, **gpu}}
    return {
        "container_config": {"resources": resources},
        "pod_spec_config": {"node_selector": dict(compute.node_selector)},
    }


def _of_a_partition(context: "PlanOrchestrationContext") -> "PlanOrchestrationContext":
    """The same; a run of a job with partitions that names none is of that of now.

    Whatever launched it: Dagster gives such a run no partition, and its assets none to ask for.
    """
    named = any(tag in context.dagster_run.tags for tag in (PARTITION, FIRST_OF_RANGE))
    now = {} if named else tags_of_now(context.job.get_definition().partitions_def)
    return with_tags(context, now) if now else context


class _Followed(dg.Executor):
    def __init__(self, executor: dg.Executor, tracking: MLflowTracking, name: str) -> None:
        self._executor, self._tracking, self._name = executor, tracking, name

    @property
    def retries(self) -> "RetryMode":
        return self._executor.retries

    @property
    def step_dependency_config(self) -> "StepDependencyConfig":
        return self._executor.step_dependency_config

    def execute(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> Iterator[dg.DagsterEvent]:
        instance, run_id = plan_context.instance, plan_context.run_id
        mark_process(instance, run_id)
        plan_context = _of_a_partition(plan_context)
        failed, ended, outcome = False, False, None
        try:
            for event in self._canceled_when_asked(plan_context, execution_plan):
                failed = failed or event.is_step_failure
                yield event
            ended = True
        finally:  # the same rule by which Dagster, right after this, gives the run its status
            with dg.build_resources({"tracking": self._tracking}, instance) as built:
                tracked = built.tracking.runs
                outcome = finish(instance, run_id, tracked, failed=failed, ended=ended)
        if outcome == "KILLED":  # asked for after the last step
            raise dg.DagsterExecutionInterruptedError

    def _canceled_when_asked(
        self, plan_context: "PlanOrchestrationContext", execution_plan: "ExecutionPlan"
    ) -> Iterator[dg.DagsterEvent]:
        cancellation = Cancellation(plan_context.instance, plan_context.run_id)
        try:
            cancellation.require_not_asked_before()
            with cancellation.heard():
                for event in self._executor.execute(plan_context, execution_plan):
                    yield event
                    if self._name == dg.in_process_executor.name:
                        cancellation.after(event)
                    elif self._name == dg.multiprocess_executor.name:  # whose pids are of here
                        cancellation.at_start(event)
            cancellation.require_not_asked()
        except INTERRUPTS:
            cancellation.record()
            raise
        except Exception:  # which the interrupt of a step became on its way
            cancellation.require_not_asked()
            raise
