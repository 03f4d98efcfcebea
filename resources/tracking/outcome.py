"""What an MLflow run is told when its Dagster run has ended, and by whom.

In the order of when they act:

1. The executor (`resources.dagster.executors`), in the process of the Dagster run, as soon as the
   last step has ended: also after a cancellation, and when a step's process was killed.
2. The teardown of `MLflowTracking`, where Dagster brings an executor of its own: `dg.materialize`
   and `execute_in_process`.
3. `settle`, for what both could not do because the run's process was killed: called by the sensor
   `mlflow_runs` under a daemon, by `mlops run`, and by the next MLflow run that is opened.

Two tags of the Dagster run make this cheap, since MLflow is only asked about what is open:
`PROCESS` says where it runs, `MLFLOW` that it has a run in MLflow, and later how that ended.
"""

import os
import socket
from typing import Literal, Protocol

import dagster as dg

from mlops_assets.errors import TrackingError

CANCELED = (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)

Status = Literal["FINISHED", "FAILED", "KILLED"]

PROCESS = "mlops/process"
MLFLOW = "mlops/mlflow"
_OPEN = "open"
_OF_RUN = "#"
_SHOWN = 8
"""Digits of the id of a run: the Dagster UI shows the tag in a line."""
_CLOCK_SECONDS = 10
_ENDED: dict[dg.DagsterRunStatus, Status] = {
    dg.DagsterRunStatus.SUCCESS: "FINISHED",
    dg.DagsterRunStatus.FAILURE: "FAILED",
    dg.DagsterRunStatus.CANCELED: "KILLED",
}
UNFINISHED = [status for status in dg.DagsterRunStatus if status not in _ENDED]


class Closes(Protocol):
    """Of `resources.tracking.runs.MLflowRuns`, what is needed here."""

    def close(self, dagster_run_id: str, status: Status, said: str = "RUNNING") -> None:
        """End every run of this Dagster run that is open, or whose end is said otherwise."""

    def left_by_the_dead(self) -> set[str]:
        """Dagster ids of open runs that a process on this machine left behind."""


def mark_open(instance: dg.DagsterInstance, run_id: str) -> None:
    """Record that the Dagster run has a run in MLflow that somebody must close."""
    instance.add_run_tags(run_id, {MLFLOW: _OPEN})


def mark_process(instance: dg.DagsterInstance, run_id: str) -> None:
    """Record that the Dagster run lives in this process."""
    instance.add_run_tags(run_id, {PROCESS: process_of_run(run_id)})


def process_of_run(run_id: str) -> str:
    """The tag of a run that lives in this process; of no other run, whoever copies its tags."""
    return f"{this_process()}{_OF_RUN}{run_id[:_SHOWN]}"


def finish(
    instance: dg.DagsterInstance, run_id: str, runs: Closes, *, failed: bool, ended: bool = True
) -> Status | None:
    """Close what a Dagster run left open that has no more steps to run.

    It `failed` if a step did for good; it has not `ended` if its execution was interrupted. A
    server that is down does not change how the run ends: it is left to `settle`.

    Returns:
        The status; None when nothing was closed, or the run will be resumed.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.tags.get(MLFLOW) != _OPEN:
        return None
    if not ended and run.status not in CANCELED and instance.run_will_resume(run_id):
        return None
    status: Status = "FINISHED"
    if failed or not ended:
        status = "KILLED" if run.status in CANCELED else "FAILED"
    try:
        _close(instance, run_id, runs, status)
        if status == "FINISHED" and _is_canceled(instance, run_id):  # since it was asked above
            return _correct(instance, run_id, runs)
    except TrackingError as err:
        dg.get_dagster_logger().warning("the MLflow run is not ended rightly: %s", err)
        return None
    return status


def settle(instance: dg.DagsterInstance, runs: Closes) -> dict[str, Status]:
    """Close the MLflow runs of all Dagster runs that ended without doing so; ids to statuses."""
    end_dead_runs(instance)
    left = dg.RunsFilter(statuses=list(_ENDED), tags={MLFLOW: _OPEN})
    ended = {run.run_id: _ENDED[run.status] for run in instance.get_runs(left)}
    for run_id, status in ended.items():
        _close(instance, run_id, runs, status)
    too_late = dg.RunsFilter(statuses=[dg.DagsterRunStatus.CANCELED], tags={MLFLOW: "FINISHED"})
    for run in instance.get_runs(too_late):
        ended[run.run_id] = _correct(instance, run.run_id, runs)
    return ended


def settle_orphans(instance: dg.DagsterInstance, runs: Closes) -> None:
    """Close runs of dead processes by what MLflow knows: their Dagster run may be deleted.

    One that is unknown here ends KILLED, since nobody can say how far it came.
    """
    for run_id in runs.left_by_the_dead():
        run = instance.get_run_by_id(run_id)
        status = _ENDED.get(run.status) if run else "KILLED"
        if status:
            runs.close(run_id, status)


def end_dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Say of runs that a process on this machine left behind that they failed, or were canceled.

    Dagster leaves them as they are for ever, and in its queue they keep others from starting. A run
    that waits in the queue, and one that a launcher is about to start, has no process yet. They are
    returned as they were left.
    """
    dead = dead_runs(instance)
    for run in dead:
        if run.status in CANCELED:
            instance.report_run_canceled(run, "its process ended")
        else:
            instance.report_run_failed(
                run, f"its process was killed; the run was {run.status.value}"
            )
    return dead


def dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs that Dagster takes for alive, and whose process on this machine is gone."""
    may_run = [status for status in UNFINISHED if status != dg.DagsterRunStatus.SUSPENDED]
    left = instance.get_runs(dg.RunsFilter(statuses=may_run))
    return [run for run in left if is_gone(_process(run))]


def status_of(run: dg.DagsterRun) -> str:
    """What Dagster says of a run, but KILLED where it has not heard that its process is gone."""
    return "KILLED" if run.status in UNFINISHED and is_gone(_process(run)) else run.status.value


def _process(run: dg.DagsterRun) -> str:
    """Where a run lives; empty if nobody said, or it was said of the run that its tags are from."""
    process, _, run_id = run.tags.get(PROCESS, "").partition(_OF_RUN)
    return process if run.run_id.startswith(run_id) else ""


def this_process() -> str:
    """Host, process id and start, so that a reused id is not taken for the same process."""
    import psutil

    return f"{on_this_host()}{os.getpid()}@{psutil.Process().create_time():.0f}"


def is_gone(process: str) -> bool:
    """Whether a process of this host has ended; False for one that cannot be known from here."""
    import psutil

    host, _, identity = process.partition(_OF_RUN)[0].rpartition("/")
    if host != socket.gethostname():
        return False
    pid, _, started = identity.partition("@")
    try:
        found = psutil.Process(int(pid))
        # The clock may have been set in between, which moves the start by seconds.
        same = abs(found.create_time() - float(started)) < _CLOCK_SECONDS
        return not same or found.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def on_this_host() -> str:
    """What `this_process()` begins with, for every process of this host."""
    return f"{socket.gethostname()}/"


def _is_canceled(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in CANCELED


def _correct(instance: dg.DagsterInstance, run_id: str, runs: Closes) -> Status:
    """A run that was canceled while, after its last step, MLflow was told that it had finished."""
    runs.close(run_id, "KILLED", said="FINISHED")
    instance.add_run_tags(run_id, {MLFLOW: "KILLED"})
    return "KILLED"


def _close(instance: dg.DagsterInstance, run_id: str, runs: Closes, status: Status) -> None:
    runs.close(run_id, status)
    instance.add_run_tags(run_id, {MLFLOW: status})
