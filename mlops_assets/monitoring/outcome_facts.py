"""What the reports on outcomes show: gauges, and asset metadata."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mlops_assets.metadata import by_column, cells, pictures, rounded, stated, typed_table
from mlops_assets.ml.plots.performance import performance_plot
from mlops_assets.ml.rows import to_row
from mlops_assets.records.monitoring import (
    OutcomeFacts,
    PerformanceReport,
    PerformanceSummary,
    SkewSummary,
)
from resources.endpoints.metrics import Gauge, last_run


def performance_gauges(report: PerformanceReport, now: datetime) -> list[Gauge]:
    """The newest final window beside the held-out rows, and the newest estimate."""
    final, values = report.newest_final, {}
    kinds = {"measured": final.metrics} if final else {}
    if report.windows:
        newest = report.windows[-1]
        kinds |= {"held_out": newest.reference, "estimated": newest.estimated}
    for kind, found in kinds.items():
        values |= {(metric, kind): value for metric, value in found.items()}
    degraded = float(final is not None and final.verdict == "degraded")
    errors = final.estimate_error if final else {}
    return [
        Gauge(
            name="model_performance",
            help="Metrics of the served version: measured by labels, estimated, and held out.",
            labels=("metric", "kind"),
            values=values,
        ),
        Gauge(
            name="model_performance_estimate_error",
            help="Estimated less measured, of the newest window with all its labels.",
            labels=("metric",),
            values={(metric,): error for metric, error in errors.items()},
        ),
        Gauge(
            name="model_performance_degraded",
            help="1: the newest window with all its labels was predicted worse than promised.",
            values={(): degraded},
        ),
        last_run("performance", now),
    ]


def skew_gauges(report: SkewSummary, names: Iterable[str], now: datetime) -> list[Gauge]:
    """Share of requests whose feature the offline store knows otherwise, 0 for the others."""
    shares = {skew.feature: skew.rows / report.rows for skew in report.skewed}
    return [
        Gauge(
            name="model_feature_skew_ratio",
            help="Share of sampled requests whose feature the offline store knows otherwise.",
            labels=("feature",),
            values={(name,): shares.get(name, 0.0) for name in names},
        ),
        last_run("skew", now),
    ]


def skew_metadata(report: SkewSummary) -> dict[str, Any]:
    """A report as metadata: how much was compared, and a row for each feature that differs."""
    found: dict[str, Any] = {"requests": report.rows, "skewed_features": len(report.skewed)}
    if report.not_compared:
        found["not_compared"] = report.not_compared
    if report.skewed:
        rows = [{"column": skew.feature, **to_row(skew)} for skew in report.skewed]
        found |= by_column(rows, {"skewed": ("rows", "example")})
    return found


def performance_metadata(report: PerformanceReport) -> dict[str, Any]:
    """A report as metadata: the newest verdict, every window as a table, and a plot."""
    newest = report.newest_final
    facts: dict[str, Any] = {"windows": len(report.windows)}
    if newest is not None:
        facts |= {"verdict": newest.verdict, **rounded(newest.metrics)}
        facts["reasons"] = "; ".join(newest.reasons) or "none"
    else:
        facts["verdict"] = "none: no window has all its labels"
    if report.not_estimated:
        facts["not_estimated"] = report.not_estimated
    if report.windows:
        rows = [_row(window, report.headline) for window in report.windows]
        facts["by_window"] = typed_table(rows)
        facts |= pictures({"performance": performance_plot(report)})
    return facts | stated(OutcomeFacts.of(report))


def _row(summary: PerformanceSummary, name: str) -> dict[str, Any]:
    values = {
        f"estimated {name}": summary.estimated.get(name),
        name: summary.metrics.get(name),
        "estimate less measured": summary.estimate_error.get(name),
    }
    return {
        "window": f"{summary.window.start:%Y-%m-%d %H:%M}",
        "labels": f"{summary.labelled_rows} of {summary.rows}",
        "verdict": summary.verdict if summary.final else "waiting for labels",
        **cells(values),
    }
