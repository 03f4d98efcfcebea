"""Monitoring of a live model: what is looked at, and when it counts as bad."""

from datetime import timedelta

from pydantic import Field

from mlops_assets.blocks.base import Duration, Settings


class LabelSettings(Settings):
    """When the outcome of a prediction is known."""

    maturity: Duration = Field(
        timedelta(days=1),
        description="Of a flat table: how long after its timestamp a row's target has come, if it "
        "ever comes. Over an event log it is the target's window.",
    )


class PerformanceSettings(Settings):
    """When a window of labelled predictions counts as degraded."""

    tolerance: float = Field(
        0.1, ge=0, description="Share by which the loss may be above that of the held-out rows."
    )
    calibration: float = Field(
        0.2, ge=0, description="Share by which promised and observed positives may differ."
    )
    alpha: float = Field(
        0.01, gt=0, lt=0.5, description="Chance of a verdict `degraded` for a window that is not."
    )
    min_rows: int = Field(100, ge=2, description="Labelled rows of a window; fewer: no verdict.")
    windows: int = Field(24, ge=1, description="How many of the newest windows a report holds.")


class SkewSettings(Settings):
    """How many logged requests are rebuilt from the offline store."""

    sample: int = Field(200, ge=1)


class MonitoringSettings(Settings):
    """What is watched once a model is live."""

    new_data_every: Duration = Field(timedelta(minutes=1), description="How often to look.")
    window: Duration = Field(
        timedelta(days=1), description="Span of event time that is judged as a whole."
    )
    labels: LabelSettings = LabelSettings()
    performance: PerformanceSettings = PerformanceSettings()
    skew: SkewSettings = SkewSettings()
