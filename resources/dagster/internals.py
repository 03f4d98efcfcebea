"""The parts of Dagster that are not its interface, and may change with any release of it.

They are imported here and nowhere else (ruff's `banned-api`), so that whoever moves to another
release finds in one place what to look at; `tests/unit/dependencies/test_dagster.py` holds what we
rely on. What `import dagster` does not load anyway (0.2-0.4 CPU s each) is imported by a function.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.metadata import normalize_metadata
from dagster._core.definitions.metadata.metadata_value import ObjectMetadataValue
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.execution import compute_logs
from dagster._core.execution.api import execute_run
from dagster._core.execution.context.system import PlanOrchestrationContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._core.launcher import (
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    WorkerStatus,
)
from dagster._core.run_coordinator.base import SubmitRunContext
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, MAX_RETRIES_TAG, WILL_RETRY_TAG
from dagster._serdes import ConfigurableClassData, deserialize_value
from dagster._utils.error import SerializableErrorInfo
from dagster._utils.log import configure_loggers

if TYPE_CHECKING:
    from dagster._core.executor.step_delegating import CheckStepHealthResult, StepHandlerContext
    from dagster._core.storage.base_storage import DagsterStorage
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._grpc.client import DagsterGrpcClient

__all__ = [
    "AUTO_RETRY_RUN_ID_TAG",
    "MAX_RETRIES_TAG",
    "WILL_RETRY_TAG",
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "DagsterUserCodeUnreachableError",
    "ExecutionPlan",
    "InMemoryJob",
    "LaunchRunContext",
    "ObjectMetadataValue",
    "PlanOrchestrationContext",
    "ResumeRunContext",
    "RetryMode",
    "SerializableErrorInfo",
    "StepDependencyConfig",
    "SubmitRunContext",
    "UnresolvedAssetJobDefinition",
    "WorkerStatus",
    "configure_loggers",
    "deserialize_value",
    "execute_run",
    "normalize_metadata",
    "with_tags",
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


def with_tags(
    context: PlanOrchestrationContext, tags: Mapping[str, str]
) -> PlanOrchestrationContext:
    """The same, of a run that has these tags too, also where it is stored."""
    run = context.dagster_run
    context.instance.add_run_tags(run.run_id, dict(tags))
    told = context.plan_data._replace(dagster_run=run.with_tags({**run.tags, **tags}))
    return PlanOrchestrationContext(
        told, context.log, context.executor, context.output_capture, context.resume_from_failure
    )


@contextmanager
def _no_mirror(path: str, stream: object) -> Generator[tuple[None, None]]:
    yield None, None


def code_server_client(socket: str) -> "DagsterGrpcClient":
    """What asks the code server that listens on a socket."""
    from dagster._grpc.client import DagsterGrpcClient

    return DagsterGrpcClient(socket=socket)


def storage_class() -> Any:
    """What a storage must be of; it loads SQLAlchemy and Alembic."""
    from dagster._core.storage.base_storage import DagsterStorage

    return DagsterStorage


def sqlite_storage(data: ConfigurableClassData | None, folder: str) -> "DagsterStorage":
    """Runs, events and schedules in files below a folder."""
    from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

    return DagsterSqliteStorage(folder, inst_data=data)


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


def with_step_handler(executor: dg.Executor, change: Callable[[Any], Any]) -> dg.Executor:
    """The same executor of steps elsewhere, with another handler, which sifts what it hears of.

    `sift` is called with the instance, the id of the run, and events.
    """
    from dagster._core.executor.step_delegating import StepDelegatingExecutor

    if isinstance(executor, StepDelegatingExecutor):
        pop = executor._pop_events
        changed: Any = executor
        changed._step_handler = handler = change(executor._step_handler)
        changed._pop_events = lambda instance, run, seen: handler.sift(
            instance, run, pop(instance, run, seen)
        )
    return executor


def plan_of(context: "StepHandlerContext") -> ExecutionPlan:
    """The plan of the run whose step is handled."""
    return context._plan_context.plan_data.execution_plan


def for_steps(
    context: "StepHandlerContext", keys: Sequence[str], *, ended_before: bool = False
) -> "StepHandlerContext":
    """The same for other steps of the run.

    One that `ended_before` has failed in the log, and is nevertheless to be started again.
    """
    from dagster._core.executor.step_delegating import StepHandlerContext
    from dagster._grpc.types import ExecuteStepArgs

    plan = plan_of(context)
    given = context.execute_step_args
    args = ExecuteStepArgs(
        given.job_origin,
        given.run_id,
        step_keys_to_execute=list(keys),
        instance_ref=given.instance_ref,
        retry_mode=given.retry_mode,
        known_state=given.known_state,
        should_verify_step=given.should_verify_step and not ended_before,
        print_serialized_events=given.print_serialized_events,
    )
    steps: Any = [plan.get_step_by_key(key) for key in keys]
    return StepHandlerContext(
        context.instance, context._plan_context, steps, args, context.dagster_run
    )


def healthy() -> "CheckStepHealthResult":
    """That a step goes on."""
    from dagster._core.executor.step_delegating import CheckStepHealthResult

    return CheckStepHealthResult.healthy()


def unhealthy(reason: str) -> "CheckStepHealthResult":
    """That a step has failed."""
    from dagster._core.executor.step_delegating import CheckStepHealthResult

    return CheckStepHealthResult.unhealthy(reason)


def without_delay(event: dg.DagsterEvent) -> dg.DagsterEvent:
    """The same event of a step that is to be tried again, but at once."""
    from dagster._core.events import StepRetryData

    error = event.step_retry_data.error
    return event._replace(event_specific_data=StepRetryData(error=error, seconds_to_wait=None))


def request_retry(context: "StepHandlerContext", reason: str, most: int) -> bool:
    """Whether the step that is handled is started again: at `most` so often."""
    from dagster._core.events import DagsterEvent, StepRetryData

    (key,) = context.execute_step_args.step_keys_to_execute or [""]
    known, step = context.execute_step_args.known_state, context.get_step_context(key)
    made = known.get_retry_state().get_attempt_count(key) if known else most
    if made >= most or context._plan_context.executor.retries.disabled:
        return False
    error = SerializableErrorInfo(reason, [], None)
    DagsterEvent.step_retry_event(step, StepRetryData(error=error, seconds_to_wait=None))
    return True
