"""Tiny jobs; with MLOPS_EXECUTOR=k8s their runs and steps are pods each."""

import time
from pathlib import Path

import dagster as dg

from mlops_assets.definitions import chosen_executor


@dg.op(config_schema={"fails": bool})
def count(context: dg.OpExecutionContext) -> int:
    if context.op_config["fails"]:
        raise ValueError("as the test wants it")
    return 1


@dg.job(executor_def=chosen_executor())
def counting() -> None:
    count()


@dg.op(config_schema={"ended": str})
def sleep(context: dg.OpExecutionContext) -> None:
    """Until it is told to end, of which it leaves a note; not at all where it was told before."""
    if Path(context.op_config["ended"]).exists():
        return
    try:
        time.sleep(300)
    except BaseException as err:
        Path(context.op_config["ended"]).write_text(type(err).__name__, encoding="utf-8")
        raise


@dg.job(executor_def=chosen_executor())
def sleeping() -> None:
    sleep()


@dg.op
def stop() -> None:
    """As an estimator would that takes an interrupt for an error."""
    raise KeyboardInterrupt


MUCH = {"requests": {"memory": "20Gi"}, "limits": {"memory": "20Gi"}}
LITTLE = {"requests": {"memory": "40Mi"}, "limits": {"memory": "40Mi"}}


@dg.op(tags={"dagster-k8s/config": {"container_config": {"resources": LITTLE}}})
def hunger() -> None:
    """More than it may have, as any Python has."""


@dg.op(tags={"dagster-k8s/config": {"container_config": {"image": "mlops:gone"}}})
def vanish() -> None:
    """Never."""


@dg.op(tags={"dagster-k8s/config": {"container_config": {"resources": MUCH}}})
def exceed() -> None:
    """Never, beyond a quota."""


@dg.job(executor_def=chosen_executor())
def suffering() -> None:
    hunger()
    exceed()
    vanish()
    stop()
    sleep()
    sleep.alias("doze")()


@dg.asset
def made() -> int:
    return 1


@dg.asset_check(asset=made, blocking=True)
def made_is_one(made: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=made == 1)


@dg.asset_check(asset=made)
def made_is_two(made: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=made == 2)


@dg.asset
def used(made: int) -> int:
    return made + 1


def making() -> dg.JobDefinition:
    """Assets with checks."""
    definitions = dg.Definitions(
        assets=[made, used],
        asset_checks=[made_is_one, made_is_two],
        jobs=[dg.define_asset_job("making", selection="*")],
        executor=chosen_executor(),
    )
    return definitions.resolve_job_def("making")
