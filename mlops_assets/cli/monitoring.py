"""The verb `monitor`: how live models do, looked at now instead of by the next schedule."""

import time
from collections.abc import Sequence

from mlops_assets.cli.context import exit_code, say_facts
from mlops_assets.cli.facts.records import WatchedModel
from mlops_assets.cli.runs.model_run import ModelRun, failed_models, models_of_a_run
from mlops_assets.records.monitoring import (
    DriftFacts,
    DriftSummary,
    OutcomeFacts,
    PerformanceSummary,
    Window,
)


def monitor(models: Sequence[str], *, as_json: bool) -> int:
    """Run each model's monitoring job; exit code 1 unless all was read and nothing is alarming."""
    found: list[WatchedModel] = []

    def look(one: ModelRun) -> bool:
        began = time.time()
        complete = one.materialize(job="monitoring")
        found.append(watched(one, began))
        return complete

    with models_of_a_run(models) as (definitions, chosen):
        failed = failed_models(chosen, look)
    say_facts(found, "\n".join(map(said, found)), as_json=as_json)
    return exit_code(definitions, models, good=not failed and all(one.calm for one in found))


def watched(one: ModelRun, since: float) -> WatchedModel:
    """What the reports of a model state that were made after `since`, in epoch seconds."""
    found = one.newest_facts("drift_report", DriftFacts, since)
    drift = found.judged[-1] if found and found.judged else None
    outcomes = one.newest_facts("performance_report", OutcomeFacts, since) or OutcomeFacts()
    measured = outcomes.final[-1] if outcomes.final else None
    moved = drift is not None and (drift.verdict == "drifted" or bool(drift.broken_columns))
    worse = measured is not None and measured.verdict == "degraded"
    return WatchedModel(
        model=one.model,
        calm=not moved and not worse,
        drift=drift,
        measured=measured,
        estimated=outcomes.estimate,
    )


def said(found: WatchedModel) -> str:
    """The same for a person: a line on drift, a line on performance."""
    lines = [f"{found.model}: {_drift(found.drift)}"]
    if measured := found.measured:
        lines.append(f"{found.model}: measured by {_performance(measured)}")
    elif found.estimated:
        lines.append(f"{found.model}: no window has all its labels yet")
    return "\n".join(lines)


def _drift(summary: DriftSummary | None) -> str:
    if summary is None:
        return "no drift was judged; see what failed above"
    seen = f"{summary.rows:,} predictions of version {summary.model_version}"
    return f"{seen}, {_span(summary.window)}: {summary.why}{_what_waits(summary)}"


def _what_waits(summary: DriftSummary) -> str:
    """When later predictions can be judged, where those of the newest window cannot be."""
    if summary.verdict != "unknown":
        return ""
    over = summary.window.end + (summary.window.end - summary.window.start)
    return f"; what came since is of the next window, which is over at {over:%Y-%m-%d %H:%M} UTC"


def _performance(summary: PerformanceSummary) -> str:
    figures = ", ".join(f"{name} {value:.4g}" for name, value in summary.metrics.items())
    why = "; ".join(summary.reasons) or ", ".join(filter(None, (summary.verdict, figures)))
    return f"{summary.labelled_rows:,} labels, {_span(summary.window)}: {why}"


def _span(window: Window) -> str:
    return f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"
