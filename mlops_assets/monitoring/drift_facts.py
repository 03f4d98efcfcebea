"""What a drift report shows: gauges, asset metadata, and the link to Evidently's page."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from mlops_assets.blocks.monitoring import DriftSettings
from mlops_assets.errors import MlopsError
from mlops_assets.metadata import by_column, cells, figures, link, pictures, stated
from mlops_assets.ml.legible import listed
from mlops_assets.ml.monitoring.drift import Distance, Finding
from mlops_assets.ml.plots.drift import columns_plot, drift_plot
from mlops_assets.ml.plots.profile import reference_plot
from mlops_assets.ml.rows import Cell
from mlops_assets.records.monitoring import DriftFacts, DriftSummary
from mlops_assets.records.profile import Profile
from resources.endpoints.metrics import Gauge, last_run

REFERENCE_TABLES = {
    "columns": ("bins", "missing"),
    "numbers": ("low", "mean", "high", "deviation"),
}
DRIFT_TABLES = {
    "columns": ("verdict", "psi", "p_value"),
    "distances": ("jensen_shannon", "kolmogorov_smirnov"),
    "means": ("mean_before", "mean", "wasserstein"),
    "deviations": ("std_before", "std"),
}
"""Which facts of a column stand together, since they have no room beside each other."""


def drift_gauges(found: Finding, now: datetime) -> list[Gauge]:
    """Every score of every column, and when they were computed."""
    summary, version = found.summary, str(found.summary.model_version)
    return [
        Gauge(
            name="model_feature_drift",
            help="Population stability index of the newest window, corrected for chance.",
            labels=("version", "feature"),
            values={(version, name): summary.scores[name] for name in found.compared},
        ),
        Gauge(
            name="model_feature_drift_distance",
            help="Other scores of the newest window; the report's metadata says what they mean.",
            labels=("version", "feature", "method"),
            values={
                (version, name, method): getattr(found.distances[name], method)
                for name in found.compared
                for method in Distance._fields
                if method != "psi"
            },
        ),
        Gauge(
            name="model_drift_alarm",
            help="1: a column that is watched has drifted, or is broken.",
            values={(): float(summary.verdict == "drifted" or bool(summary.broken_columns))},
        ),
        last_run("drift", now),
    ]


def page_link(draw: Callable[[], str | None]) -> dg.MetadataValue:
    """Where the page is, or why there is none: what cannot be drawn costs no verdict."""
    try:
        page = draw()
    except MlopsError as err:
        return dg.MetadataValue.text(str(err))
    return link(page) if page else dg.MetadataValue.text("no column has values")


def reference_metadata(found: Profile, titles: Mapping[str, str]) -> dict[str, Any]:
    """A version's profile as metadata: a row for each column, and a picture."""
    rows: list[dict[str, Cell]] = [
        {
            "column": titles.get(name, name),
            **{"bins": one.bins.size, "missing": one.missing},
            **figures({"low": one.low, "mean": one.mean}),
            **figures({"high": one.high, "deviation": one.deviation}),
        }
        for name, one in found.columns.items()
    ]
    drawn = pictures({"profile": reference_plot(found, titles)})
    return {"rows": found.rows, **by_column(rows, REFERENCE_TABLES), **drawn}


def drift_metadata(
    found: Finding,
    rules: DriftSettings,
    windows: Sequence[DriftSummary],
    titles: Mapping[str, str],
) -> dict[str, Any]:
    """A report as metadata: the newest verdict, every column as a table, plots, and all windows.

    Plots and the table call a column by its title, if it has one.
    """
    summary, window = found.summary, found.summary.window
    plots = {"drift": drift_plot(summary, rules, titles)}
    if summary.drifted_columns:
        worst = sorted(summary.drifted_columns, key=lambda name: -summary.scores[name])
        plots["columns"] = columns_plot(worst, found.reference, found.live, titles)
    return {
        "verdict": summary.verdict,
        "window": f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC",
        "model_version": summary.model_version,
        "rows": summary.rows,
        "reference": summary.reference,
        "drifted_columns": listed(summary.drifted_columns, ", ") or "none",
        "broken_columns": listed(summary.broken_columns, ", ") or "none",
        "reasons": listed(summary.reasons, "; ") or summary.why,
        "notes": listed(summary.notes, "; ") or "none",
        **by_column(_columns(found, rules.ignore, titles), DRIFT_TABLES),
        **stated(DriftFacts(windows=tuple(windows))),
        **pictures(plots),
    }


def _columns(
    found: Finding, ignored: Collection[str], titles: Mapping[str, str]
) -> list[dict[str, Cell]]:
    """What is said of each column; those that drifted or are broken come first."""
    summary, rows = found.summary, []
    verdicts = dict.fromkeys(ignored, "ignored")
    verdicts |= dict.fromkeys(summary.drifted_columns, "drifted")
    verdicts |= dict.fromkeys(summary.broken_columns, "broken")
    for name, scores in found.distances.items():
        old, new = found.reference.columns[name], found.live.columns[name]
        moments = {"mean_before": old.mean, "mean": new.mean}
        moments |= {"std_before": old.deviation, "std": new.deviation}
        verdict = verdicts.get(name, summary.verdict if summary.verdict == "unknown" else "calm")
        rows.append(
            {
                "column": titles.get(name, name),
                "verdict": verdict,
                **(cells(scores._asdict()) if name in found.compared else {}),
                **figures(moments),
            }
        )
    return sorted(rows, key=lambda row: row["verdict"] not in ("drifted", "broken"))
