"""Executors: they tell MLflow how the Dagster run ended, and a cluster what each step needs."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.blocks.cluster import ComputeSettings
from mlops_assets.errors import ConfigError
from mlops_assets.keys import COMPUTE
from resources.run_outcome import finish, mark_process
from resources.tracking import MLflowTracking

if TYPE_CHECKING:
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan
    from dagster._core.execution.retries import RetryMode
    from dagster._core.execution.step_dependency_config import StepDependencyConfig


def followed(executor: dg.ExecutorDefinition, tracking: MLflowTracking) -> dg.ExecutorDefinition:
    """The same executor, which closes the run's MLflow runs when its last step has ended."""
    start = executor.executor_creation_fn
    if start is None:
        raise ConfigError(f"the executor {executor.name!r} cannot be created; use another one")
    schema: Any = executor.config_schema

    def create(context: dg.InitExecutorContext) -> dg.Executor:
        return _Followed(start(context), tracking)

    return dg.ExecutorDefinition(
        name=executor.name,
        config_schema=schema,
        requirements=executor.get_requirements,
        executor_creation_fn=create,
        description=executor.description,
    )


def pods_of_steps(models: dg.Definitions) -> dict[str, dict[str, Any]]:
    """Step -> its pod, as `k8s_job_executor` takes it, of the assets that ask for something."""
    assets = [one for one in models.assets or () if isinstance(one, dg.AssetsDefinition)]
    specs = [spec for asset in assets for spec in asset.specs if COMPUTE in spec.metadata]
    return {
        "__".join(spec.key.path): _pod(ComputeSettings.model_validate(spec.metadata[COMPUTE]))
        for spec in specs
    }


def _pod(compute: ComputeSettings) -> dict[str, Any]:
    memory = {"memory": compute.memory} if compute.memory else {}
    gpu = {"nvidia.com/gpu": str(compute.gpu)} if compute.gpu else {}
    cpu = {"cpu": compute.cpu} if compute.cpu else {}
    resources = {"requests": {**cpu, **memory, **gpu}, "limits": {**memory, **gpu}}
    return {
        "container_config": {"resources": resources},
        "pod_spec_config": {"node_selector": dict(compute.node_selector)},
    }


class _Followed(dg.Executor):
    def __init__(self, executor: dg.Executor, tracking: MLflowTracking) -> None:
        self._executor, self._tracking = executor, tracking

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
        failed, ended = False, False
        try:
            for event in self._executor.execute(plan_context, execution_plan):
                failed = failed or event.is_step_failure
                yield event
            ended = True
        finally:  # the same rule by which Dagster, right after this, gives the run its status
            with dg.build_resources({"tracking": self._tracking}, instance) as built:
                finish(instance, run_id, built.tracking, failed=failed or not ended)
