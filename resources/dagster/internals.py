"""The parts of Dagster that are not its interface, and may change with any release of it.

They are imported here and nowhere else (ruff's `banned-api`), so that whoever moves to another
release finds in one place what to look at; `tests/unit/dependencies/test_dagster.py` holds what we
rely on. What `import dagster` does not load anyway (0.2-0.4 CPU s each) is imported by a function.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.metadata.metadata_value import ObjectMetadataValue
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.execution import compute_logs
from dagster._core.execution.api import execute_run
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._serdes import deserialize_value
from dagster._utils.error import SerializableErrorInfo
from dagster._utils.log import configure_loggers

if TYPE_CHECKING:
    from dagster._core.executor.step_delegating import CheckStepHealthResult, StepHandlerContext
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._grpc.client import DagsterGrpcClient

__all__ = [
    "DagsterUserCodeUnreachableError",
    "ExecutionPlan",
    "InMemoryJob",
    "ObjectMetadataValue",
    "PlanOrchestrationContext",
    "RetryMode",
    "SerializableErrorInfo",
    "StepDependencyConfig",
    "SubmitRunContext",
    "UnresolvedAssetJobDefinition",
    "configure_loggers",
    "deserialize_value",
    "execute_run",
    "without_mirror",
]


@contextmanager
def without_mirror() -> Generator[None]:
    """Let what steps print go into their files alone, and to no terminal.

    Two processes a run would pass it on, which take a terminal's Ctrl-C for theirs and say so with
    a trace each.
    """
    before = compute_logs.tail_to_stream
    compute_logs.tail_to_stream = _no_mirror
    try:
        yield
    finally:
        compute_logs.tail_to_stream = before


@contextmanager
def _no_mirror(path: str, stream: object) -> Generator[tuple[None, None]]:
    yield None, None


def code_server_client(socket: str) -> "DagsterGrpcClient":
    """What asks the code server that listens on a socket."""
    from dagster._grpc.client import DagsterGrpcClient

    return DagsterGrpcClient(socket=socket)


def workspace_process(
    instance: dg.DagsterInstance, file: Path, version: str
) -> "WorkspaceProcessContext":
    """What the web server is made of, to be entered: the code locations of a workspace file."""
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    return WorkspaceProcessContext(instance, WorkspaceFileTarget([str(file)]), version)


def next_tick(cron: str, after: datetime) -> datetime:
    """The first moment after another that a cron expression names, in UTC."""
    from dagster._utils.schedules import cron_string_iterator

    ticks = cron_string_iterator(after.timestamp(), cron, "UTC")
    return next(tick for tick in ticks if tick > after)


def running_schedules(instance: dg.DagsterInstance) -> set[str]:
    """Names of the schedules that somebody has switched on; none of an instance without any."""
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import InstigatorStatus

    if instance.schedule_storage is None:
        return set()
    states = instance.all_instigator_state(
        instigator_type=InstigatorType.SCHEDULE, instigator_statuses={InstigatorStatus.RUNNING}
    )
    return {state.instigator_name for state in states}


def explain_failed_steps(
    executor: dg.Executor, why: Callable[["StepHandlerContext"], str]
) -> dg.Executor:
    """The same executor; the reasons of steps that failed in pods of theirs end with `why`."""
    from dagster._core.executor.step_delegating import CheckStepHealthResult, StepDelegatingExecutor

    if not isinstance(executor, StepDelegatingExecutor):
        return executor
    handler: Any = executor._step_handler
    check = handler.check_step_health

    def explained(context: "StepHandlerContext") -> "CheckStepHealthResult":
        found = check(context)
        if found.is_healthy:
            return found
        return CheckStepHealthResult.unhealthy(f"{found.unhealthy_reason} {why(context)}".rstrip())

    handler.check_step_health = explained
    return executor
