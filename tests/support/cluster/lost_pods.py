"""A code location of two jobs that wait in their second step, and a run of each at once.

One has its steps in pods of their own, the other all of them in the run's pod.
"""

import time
from collections.abc import Iterator

import dagster as dg

from mlops_assets.definitions import build_resources, chosen_executor
from mlops_assets.home import home
from resources.dagster.executors import followed

ELSEWHERE, HERE = "steps_elsewhere", "steps_here"
LET_GO = "let-go"
"""The file below `home()` that they wait for."""


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1, delay=2))
def begin(context: dg.OpExecutionContext) -> int:
    """At the second attempt, after a while."""
    if context.retry_number == 0:
        raise ConnectionError
    return 1


@dg.op
def wait(begun: int) -> int:
    """Until it is let go."""
    while not (home() / LET_GO).exists():
        time.sleep(0.1)
    return begun


@dg.op
def end(waited: int) -> int:
    """After that."""
    return waited + 1


@dg.graph
def steps() -> None:
    """One after the other."""
    end(wait(begin()))


def launcher(job: str) -> dg.SensorDefinition:
    """Asks for one run, at its first look."""

    @dg.sensor(
        name=f"{job}_launcher",
        job_name=job,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def launch() -> Iterator[dg.RunRequest]:
        yield dg.RunRequest(run_key="first")

    return launch


@dg.definitions
def defs() -> dg.Definitions:
    """Both, as `mlops_assets.definitions` makes them by MLOPS_EXECUTOR."""
    resources = {
        "io_manager": dg.FilesystemIOManager(base_dir=str(home() / "assets")),
        "tracking": build_resources(home())["tracking"],
    }
    executors = {ELSEWHERE: chosen_executor(), HERE: dg.in_process_executor}
    return dg.Definitions(
        jobs=[
            steps.to_job(
                name=name,
                executor_def=followed(executor, resources["tracking"]),
                resource_defs=resources,
            )
            for name, executor in executors.items()
        ],
        sensors=[launcher(name) for name in executors],
    )
