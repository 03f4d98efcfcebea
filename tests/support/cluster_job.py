"""A tiny job; with MLOPS_EXECUTOR=k8s its run and its step are pods each."""

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
