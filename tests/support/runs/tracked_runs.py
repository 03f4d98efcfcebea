"""A tiny code location that logs to MLflow, and every way in which a Dagster run of it can end.

`python -m tests.support.runs.tracked_runs in_process|forkserver` makes the runs of one column of
the table in `test_mlflow_runs.py`; `TRACKED_HOME` is where state is kept, `TRACKED_WITH` says
through which resource they log: `ours`, or `dagster_mlflow` for `benchmarks/mlflow_runs.py`.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg

from resources.dagster.executors import followed
from resources.tracking.dagster_mlflow import build_dagster_mlflow
from resources.tracking.tracking import MLflowTracking

HOME = Path(os.environ.get("TRACKED_HOME", "."))
OURS = os.environ.get("TRACKED_WITH", "ours") == "ours"
EXECUTOR = os.environ.get("TRACKED_EXECUTOR", "in_process")
EXPERIMENT = "tracked"
PARTITIONS = [str(number) for number in range(10)]
BAD_PARTITION = "7"

Tracking = dg.ResourceParam[Any]
"""Under the key `mlflow`, which the hook of dagster-mlflow asks for."""


@contextmanager
def logging(
    context: dg.AssetExecutionContext, tracking: Any
) -> Generator[Callable[[dict[str, float]], None]]:
    """Log into the run of this Dagster run, by either resource."""
    if not isinstance(tracking, MLflowTracking):
        yield tracking.log_metrics
        return
    with tracking.run(EXPERIMENT, tracking.run_tags(context)) as run:
        yield run.log_metrics


@dg.asset
def model(context: dg.AssetExecutionContext, mlflow: Tracking) -> None:
    with logging(context, mlflow) as log:
        log({"model": 1.0})


@dg.asset(deps=[model])
def report() -> None: ...


@dg.asset_check(asset=report, blocking=True)
def gate() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


@dg.asset(deps=[report])
def endpoint() -> None: ...


@dg.asset
def raising(context: dg.AssetExecutionContext, mlflow: Tracking) -> None:
    with logging(context, mlflow) as log:
        log({"raising": 1.0})
        raise KeyError("no such row")


@dg.asset(retry_policy=dg.RetryPolicy(max_retries=1))
def retried(context: dg.AssetExecutionContext, mlflow: Tracking) -> None:
    with logging(context, mlflow) as log:
        log({"retried": float(context.retry_number)})
        if context.retry_number == 0:
            raise KeyError("not yet")


@dg.asset
def killing(context: dg.AssetExecutionContext, mlflow: Tracking) -> None:
    """Kill the step, which in process is all there is."""
    with logging(context, mlflow) as log:
        log({"killing": 1.0})
        os.kill(os.getpid(), signal.SIGKILL)


@dg.asset
def killing_all(context: dg.AssetExecutionContext, mlflow: Tracking) -> None:
    """Kill the process of the run, and let the step end."""
    with logging(context, mlflow) as log:
        log({"killing_all": 1.0})
        run = context.instance.get_run_by_id(context.run.run_id)
        assert run is not None
        os.kill(int(run.tags["pid"]), signal.SIGKILL)


@dg.asset
def slow(context: dg.AssetExecutionContext, mlflow: Tracking) -> None:
    with logging(context, mlflow) as log:
        log({"slow": 1.0})
        (HOME / f"slow-{EXECUTOR}").write_text(context.run.run_id, encoding="utf-8")
        time.sleep(60)


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(PARTITIONS))
def daily(context: dg.AssetExecutionContext, mlflow: Tracking) -> None:
    with logging(context, mlflow) as log:
        log({"daily": float(context.partition_key)})
    if context.partition_key == BAD_PARTITION:
        raise KeyError("no data of that day")


@dg.asset
def left(context: dg.AssetExecutionContext, mlflow: Tracking) -> None:
    with logging(context, mlflow) as log:
        log({"left": 1.0})


@dg.asset
def right(context: dg.AssetExecutionContext, mlflow: Tracking) -> None:
    with logging(context, mlflow) as log:
        log({"right": 1.0})


JOBS: dict[str, Any] = {
    "success": dg.AssetSelection.assets(model) | dg.AssetSelection.assets(report).without_checks(),
    "asset_failure": dg.AssetSelection.assets(raising),
    "check_failure": dg.AssetSelection.assets(model, report, endpoint),
    "retry_then_success": dg.AssetSelection.assets(retried),
    "kill_of_the_step": dg.AssetSelection.assets(killing),
    "kill_of_the_process": dg.AssetSelection.assets(killing_all),
    "cancel": dg.AssetSelection.assets(slow),
    "backfill": dg.AssetSelection.assets(daily),
    "parallel_steps": dg.AssetSelection.assets(left, right),
}


def build_tracking(home: Path) -> MLflowTracking:
    return MLflowTracking(
        tracking_uri=f"sqlite:///{home / 'mlflow.db'}", artifacts=str(home / "artifacts")
    )


def _executor(tracking: MLflowTracking) -> dg.ExecutorDefinition:
    executor = dg.in_process_executor
    if EXECUTOR == "forkserver":
        preload = {"preload_modules": ["tests.support.runs.tracked_runs", "mlflow"]}
        executor = dg.multiprocess_executor.configured({"start_method": {"forkserver": preload}})
    return followed(executor, tracking) if OURS else executor


def _defs() -> dg.Definitions:
    tracking, hooks = build_tracking(HOME), set()
    resource: Any = tracking
    if not OURS:
        from dagster_mlflow import end_mlflow_on_run_finished  # the best case of theirs

        hooks = {end_mlflow_on_run_finished}
        resource = build_dagster_mlflow(tracking.tracking_uri, EXPERIMENT)
    assets = [
        *(model, report, endpoint, raising, retried, killing, killing_all),
        *(slow, daily, left, right),
    ]
    return dg.Definitions(
        assets=assets,
        asset_checks=[gate],
        jobs=[dg.define_asset_job(name, choice, hooks=hooks) for name, choice in JOBS.items()],
        resources={"mlflow": resource},
        executor=_executor(tracking),
    )


def job(name: str) -> dg.JobDefinition:
    return _defs().resolve_job_def(name)


def execute(name: str, instance: dg.DagsterInstance, tags: dict[str, str] | None = None) -> None:
    tags = {"executor": EXECUTOR, **(tags or {})}
    recipe = dg.build_reconstructable_job(
        "tests.support.runs.tracked_runs", "job", reconstructable_args=(name,)
    )
    with dg.execute_job(recipe, instance, tags=tags):
        pass


def _in_a_fork(name: str) -> None:
    """For a run that takes its process with it."""
    pid = os.fork()
    if pid == 0:
        try:
            with dg.DagsterInstance.get() as instance:
                execute(name, instance, {"pid": str(os.getpid())})
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), f"{name} was to be killed, but ended with {status}"


def _cancel_when_it_runs(instance: dg.DagsterInstance) -> None:
    """What Dagster's launcher does when somebody presses Terminate."""
    marker = HOME / f"slow-{EXECUTOR}"
    while not marker.exists():
        time.sleep(0.05)
    run = instance.get_run_by_id(marker.read_text(encoding="utf-8"))
    assert run is not None
    instance.report_run_canceling(run)
    os.kill(os.getpid(), signal.SIGINT)


def main() -> None:
    import mlflow  # noqa: F401  once for the forks

    # Before this process has a connection to MLflow's store, which a fork must not share.
    if EXECUTOR == "in_process":
        _in_a_fork("kill_of_the_step")
    _in_a_fork("kill_of_the_process")
    with dg.DagsterInstance.get() as instance:
        if EXECUTOR == "forkserver":
            execute("kill_of_the_step", instance)
        for name in ("success", "asset_failure", "check_failure", "retry_then_success"):
            execute(name, instance)
        for key in PARTITIONS:
            execute("backfill", instance, {"dagster/partition": key, "dagster/backfill": "all"})
        execute("parallel_steps", instance)
        threading.Thread(target=_cancel_when_it_runs, args=(instance,)).start()
        execute("cancel", instance)


if __name__ == "__main__":
    os.environ["TRACKED_EXECUTOR"] = EXECUTOR = sys.argv[1]
    main()
