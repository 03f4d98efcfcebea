"""The parts of Dagster that are not its interface and that only tests touch.

What the product touches, tests take from `resources.dagster.internals` too.
"""

from dagster._cli import main as dagster_command
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.events import StepMaterializationData, StepRetryData
from dagster._core.execution.api import create_execution_plan
from dagster._core.executor.step_delegating import CheckStepHealthResult
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher import LaunchRunContext, WorkerStatus
from dagster._daemon.monitoring.run_monitoring import monitor_started_run

__all__ = [
    "CheckStepHealthResult",
    "InstanceRef",
    "LaunchRunContext",
    "ReconstructableJob",
    "ReconstructableRepository",
    "StepMaterializationData",
    "StepRetryData",
    "WorkerStatus",
    "create_execution_plan",
    "dagster_command",
    "monitor_started_run",
]
