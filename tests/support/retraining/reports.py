"""Reports of single days, and a policy, for the tests of the retrain policy."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mlops_assets.blocks.monitoring import RetrainSettings
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from mlops_assets.records.retraining import Signals

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = RetrainSettings(
    on_drift="train", cooldown=2 * DAY, backoff=3 * DAY, budget_per_month=3, min_new_labels=10
)


def window(day: int) -> dict[str, Any]:
    """What every report of that day has."""
    start = START + day * DAY
    return {"model": "m", "window": Window(start=start, end=start + DAY), "rows": 500}


def drift(day: int, *, bad: bool = True, version: int = 1, broken: str = "") -> DriftSummary:
    """A drift report of one day."""
    return DriftSummary(
        **window(day),
        model_version=version,
        reference_rows=500,
        verdict="drifted" if bad else "calm",
        broken_columns=(broken,) if broken else (),
    )


def performance(day: int, *, bad: bool = True, version: int = 1) -> PerformanceSummary:
    """A final performance report of one day."""
    verdict = "degraded" if bad else "good"
    return PerformanceSummary(
        **window(day), model_version=version, labelled_rows=500, final=True, verdict=verdict
    )


def feed(*reports: DriftSummary | PerformanceSummary, **more: Any) -> Signals:
    """The reports as the policy is told of them, with whatever else it is told."""
    return Signals(
        drift=tuple(r for r in reports if isinstance(r, DriftSummary)),
        performance=tuple(r for r in reports if isinstance(r, PerformanceSummary)),
        **more,
    )
