"""Monitoring of a live model: what is looked at, and when it counts as bad."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from mlops_assets.blocks.base import LONGEST, Duration, Settings, spelled_days

Reference = Literal["training", "same_weekday", "same_month"]

WEEK = timedelta(weeks=1)
SEASON_WEEKS = 13
"""How far back `same_weekday` looks: a drift that lasts is the norm only long after its alarm."""


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
    windows: int = Field(
        24,
        ge=1,
        description="How many of the newest windows a report holds, of the final ones and of those "
        "that wait for labels.",
    )


class SkewSettings(Settings):
    """How many logged requests are rebuilt from the offline store."""

    sample: int = Field(200, ge=1)


class AlarmSettings(Settings):
    """K of N windows, with hysteresis: an alarm is entered at one count and left at a lower one."""

    windows: int = Field(3, ge=1, le=50, description="How many of the newest windows are counted.")
    enter: int = Field(2, ge=1, description="Bad windows among them that raise the alarm.")
    leave: int = Field(0, ge=0, description="Bad windows at which it is over; fewer than `enter`.")

    @model_validator(mode="after")
    def _thresholds_are_ordered(self) -> Self:
        if not self.leave < self.enter <= self.windows:
            raise ValueError(
                f"an alarm needs leave < enter <= windows, not {self.leave} < {self.enter} <= "
                f"{self.windows}"
            )
        return self


class DriftSettings(Settings):
    """When a window of live predictions counts as drifted."""

    threshold: float = Field(
        0.2, gt=0, description="Population stability index of a column, corrected for chance."
    )
    alpha: float = Field(
        0.01, gt=0, lt=0.5, description="False-discovery rate over the columns of a window."
    )
    min_rows: int = Field(
        200, ge=2, description="Requests of the window, rows of the reference; fewer: unknown."
    )
    windows: int = Field(
        24, ge=1, le=200, description="How many of the newest complete windows a report judges."
    )
    reference: Reference = Field(
        "training",
        description="What a window is compared with: the version's held-out rows; or what was live "
        "a whole number of weeks before (13 at most), or in the same month of the 3 years before, "
        "of any version whose features are defined alike.",
    )
    history: int = Field(
        4,
        ge=1,
        description="Earlier windows with rows that a seasonal reference needs; with fewer it is "
        "`training`, and the report says so.",
    )
    ageing: dict[str, Duration] = Field(
        default_factory=dict,
        description="Columns that grow by the calendar alone -> the time in which they grow by 1, "
        "e.g. `{tenure_days: 1d}`. They are compared as of the newest held-out row, so that ageing "
        "is no drift and any other change is one. From the next `reference_profile` on.",
    )
    ignore: tuple[str, ...] = Field(
        (),
        description="Columns that are scored but raise no alarm; `prediction` is a column too.",
    )


class RetrainSettings(Settings):
    """When a model is trained again; a degraded model outranks drift, drift outranks new data."""

    performance: AlarmSettings = AlarmSettings(windows=2)
    drift: AlarmSettings = AlarmSettings(windows=5, enter=3, leave=1)
    on_drift: Literal["train", "confirm", "alert"] = Field(
        "confirm",
        description="A drift alarm trains; or only if the estimated loss has risen too; or never. "
        "Only binary models have an estimate: to confirm, all others wait for their labels.",
    )
    estimate_tolerance: float = Field(
        0.1, ge=0, description="Share above the held-out loss at which an estimate confirms drift."
    )
    on_new_data: Literal["train", "signal"] = Field(
        "train", description="A change of the source's content trains, or is only recorded."
    )
    cooldown: Duration = Field(
        timedelta(days=1), description="After a training, by whomever, before the next."
    )
    backoff: Duration = Field(
        timedelta(days=1),
        description="After the start of a training that was refused or failed, before the next; "
        "doubled by each more.",
    )
    backoff_most: Duration = Field(timedelta(days=30), description="The back-off grows no further.")
    budget_per_month: int = Field(10, ge=0, description="Trainings in any 30 days; 0: none.")
    min_new_labels: int = Field(
        0,
        ge=0,
        description="Predictions labelled since the last training read its data, before an alarm "
        "trains; counted in the windows that `performance_report` holds.",
    )

    @model_validator(mode="after")
    def _back_off_is_bounded_from_above(self) -> Self:
        if self.backoff > self.backoff_most:
            raise ValueError(
                f"retrain.backoff is {self.backoff}, its bound backoff_most {self.backoff_most}; "
                "raise the bound"
            )
        return self


class MonitoringSettings(Settings):
    """What is watched once a model is live."""

    new_data_every: Duration = Field(timedelta(minutes=1), description="How often to look.")
    window: Duration = Field(
        timedelta(days=1), description="Span of event time that is judged as a whole."
    )
    labels: LabelSettings = LabelSettings()
    performance: PerformanceSettings = PerformanceSettings()
    skew: SkewSettings = SkewSettings()
    drift: DriftSettings = DriftSettings()
    retrain: RetrainSettings = RetrainSettings()

    @model_validator(mode="after")
    def _reports_look_back_ten_centuries_at_most(self) -> Self:
        windows = max(self.performance.windows, self.drift.windows)
        if windows > 10 * LONGEST // self.window:
            raise ValueError(
                f"{windows} windows of {self.window.days} days are longer than ten centuries; "
                "shorten `window`, or lower `drift.windows` and `performance.windows`"
            )
        return self

    @model_validator(mode="after")
    def _weeks_are_whole_windows(self) -> Self:
        if self.drift.reference == "same_weekday" and WEEK % self.window:
            raise ValueError(
                f"drift.reference same_weekday needs a window that divides a week, e.g. 1d or 6h, "
                f"not {spelled_days(self.window)}"
            )
        if self.drift.reference == "same_weekday" and self.drift.history > SEASON_WEEKS:
            raise ValueError(
                f"drift.history is {self.drift.history}, and same_weekday looks at {SEASON_WEEKS} "
                "earlier windows only"
            )
        return self
