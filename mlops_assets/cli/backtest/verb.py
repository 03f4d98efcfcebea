"""The verb `backtest`: how often a model should be trained, asked of its own history.

It runs the job `<model>_backtest` in this process, so that the report stands in the UI too.
"""

from datetime import datetime
from time import sleep
from typing import Any

import dagster as dg

from mlops_assets.cli.context import (
    alone,
    chosen_models,
    load_definitions,
    said_who_runs,
    say,
    say_facts,
)
from mlops_assets.cli.failures import failed_steps
from mlops_assets.errors import BacktestError
from mlops_assets.keys import asset_key, pool
from mlops_assets.metadata import read_facts
from mlops_assets.ml.markdown import table
from mlops_assets.records.backtest import BacktestReport, PolicyReport
from mlops_assets.runtime.interrupts import interruptible
from resources.dagster.executors import execute_here
from resources.dagster.run_limits import wait_for_others


def backtest(model: str, windows: int, window: str | None, *, as_json: bool) -> int:
    """Replay the history of a model, and say what it advises."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    key = asset_key(model, "backtest")
    config = {"windows": windows, **({"window": window} if window else {})}
    with interruptible(), alone(model), dg.DagsterInstance.get() as instance:
        if instance.get_latest_materialization_event(asset_key(model, "features")) is None:
            raise BacktestError(f"{model} has no features yet; run `mlops train {model}`")
        if not _materialize(definitions, instance, model, config):
            return 1
        event = instance.get_latest_materialization_event(key)
        report = read_facts(event.asset_materialization, BacktestReport) if event else None
    if report is None:
        raise BacktestError(f"the report of {model} is gone; run `mlops backtest {model}` again")
    say_facts(report, said(report), as_json=as_json)
    return 0


def _materialize(
    definitions: dg.Definitions, instance: dg.DagsterInstance, model: str, config: dict[str, Any]
) -> bool:
    wait_for_others(instance, pool(model), lambda run: say(said_who_runs(model, run)), sleep)
    result = execute_here(
        definitions.resolve_job_def(f"{model}_backtest"),
        instance,
        (definitions.resources or {})["tracking"],
        assets=None,
        tags={"mlops/launched_by": "mlops"},
        run_config={
            "loggers": {"progress": {}},
            "ops": {f"{model}__backtest": {"config": config}},
        },
    )
    for line in failed_steps(result.all_events):
        say(line, error=True)
    return result.success


def said(report: BacktestReport) -> str:
    """What a person reads: tables, what is shown, and the lines to take over."""
    first, last = report.windows[0], report.windows[-1]
    head = (
        f"{report.model}: {report.loss_name} in {len(report.windows)} windows of {report.window}, "
        f"{_day(first.start)} to {_day(last.end)}, {sum(w.rows for w in report.windows):,} rows"
    )
    ages = [
        (a.age, a.windows, f"{a.loss:.4g}", f"{a.excess:+.4g}", _error(a.standard_error))
        for a in report.ages
    ]
    cadences = [
        (c.every, c.trainings, f"{c.loss:.4g}", f"{c.excess:+.4g}", _error(c.standard_error))
        for c in report.cadences
    ]
    often = report.cadences[-1].every
    return "\n".join(
        [
            f"{head}\n",
            table(["age", "windows", "loss", "above a new one", "standard error"], ages),
            "",
            table(["trained every", "times", "loss", f"above {often}", "standard error"], cadences),
            *(_policies(report.policy) if report.policy else ()),
            "",
            f"{report.advice}: {report.said}",
            *([f"to take over:\n\n{report.yaml}".rstrip()] if report.yaml else []),
        ]
    )


def _policies(found: PolicyReport) -> list[str]:
    rows = [
        (
            each.retrain,
            f"{each.trainings} ({each.refused})",
            f"{each.loss:.4g}",
            f"{each.excess:+.4g}",
            _error(each.standard_error),
        )
        for each in found.policies
    ]
    names = [
        "monitoring.retrain",
        "times (refused)",
        "loss",
        "above every window",
        "standard error",
    ]
    return ["", *([table(names, rows), ""] if rows else []), found.said]


def _error(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2g}"


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
