"""What monitoring finds: one record per report, stored as the asset's value and metadata."""

from typing import Literal, Self

from pydantic import AwareDatetime, ConfigDict, Field

from mlops_assets.blocks.base import Moment, Record


class Window(Record):
    """A half-open span of event time in the prediction log: `start <= event_time < end`."""

    start: AwareDatetime
    end: AwareDatetime


class LogSummary(Record):
    """What one compaction of a model's prediction log did, and what the log holds since."""

    model: str
    files: int = Field(description="Closed files of the endpoint that were taken over.")
    open_files: int = Field(description="Files that workers still append to; read, not taken over.")
    rows: int = Field(description="New rows.")
    torn_lines: int = Field(description="Lines cut off by a crash or a full disk; not rows.")
    duplicates: int = Field(description="Rows that were there already, or came twice.")
    nameless: int = Field(
        0, description="Multiclass rows of a version that is gone, and its classes' names with it."
    )
    days: tuple[str, ...] = Field((), description="Daily Parquet files that were written.")
    newest: AwareDatetime | None = Field(None, description="Largest event time of the new rows.")
    held: dict[str, int] = Field(
        {}, description="Day of event time -> rows in Parquet, of the endpoint and of batches."
    )


class DriftSummary(Record):
    """One window of live predictions against a reference of its model version."""

    SHOWN = ("model_version", "window.start", "rows", "verdict", "reference")

    model: str
    model_version: int
    window: Window
    rows: int
    reference_rows: int
    verdict: Literal["calm", "drifted", "unknown"] = Field(
        description="`unknown`: fewer rows than `monitoring.drift.min_rows`, or no reference."
    )
    drifted_columns: tuple[str, ...] = ()
    scores: dict[str, float] = Field(
        default_factory=dict, description="Feature, or `prediction` -> PSI of the window."
    )
    broken_columns: tuple[str, ...] = Field(
        (), description="Missing or constant now, and not in the reference: a fault upstream."
    )
    reasons: tuple[str, ...] = Field((), description="One sentence per offending column.")
    reference: Literal["training", "same_weekday", "same_month"] = "training"
    notes: tuple[str, ...] = Field(
        (), description="Where the report did otherwise than the settings ask for, and why."
    )

    @property
    def why(self) -> str:
        """The verdict in words: the reasons, or that there are none and what that means."""
        in_words = {
            "calm": "nothing has moved",
            "drifted": "something has moved",
            "unknown": "too few to judge",
        }
        return "; ".join(self.reasons) or in_words[self.verdict]


class DriftReport(Record):
    """The newest complete windows of the served version, the oldest first; at least one."""

    windows: tuple[DriftSummary, ...] = Field(min_length=1)

    @property
    def newest(self) -> DriftSummary:
        """The window that was over last."""
        return self.windows[-1]


class DriftFacts(Record):
    """What `drift_report` states for others to read."""

    summary: DriftSummary | None = Field(
        None, description="The newest window, of what an earlier release stated."
    )
    windows: tuple[DriftSummary, ...] = Field((), description="All, the oldest first.")

    @property
    def judged(self) -> tuple[DriftSummary, ...]:
        """Every window that it states, the oldest first, whichever release wrote it."""
        return self.windows or ((self.summary,) if self.summary else ())


class PerformanceSummary(Record):
    """Metrics of one window of predictions, estimated before its labels came, final after."""

    model_config = ConfigDict(ser_json_inf_nan="strings")  # JSON has no infinity
    SHOWN = ("model_version", "window.start", "labelled_rows", "verdict")

    model: str
    model_version: int
    window: Window
    rows: int
    labelled_rows: int
    final: bool = Field(description="Every label that can come has come: the window has matured.")
    verdict: Literal["good", "degraded", "unknown"]
    metrics: dict[str, float] = Field(
        default_factory=dict, description="On the labelled rows; empty while not final."
    )
    estimated: dict[str, float] = Field(
        default_factory=dict, description="By CBPE, from the scores alone."
    )
    reference: dict[str, float] = Field(
        default_factory=dict, description="The same metrics on the held-out rows."
    )
    reasons: tuple[str, ...] = ()

    @property
    def estimate_error(self) -> dict[str, float]:
        """Estimated less measured, of each metric that is both; empty until the labels came."""
        return {n: self.estimated[n] - x for n, x in self.metrics.items() if n in self.estimated}


class PerformanceReport(Record):
    """The windows of the served version, the oldest first."""

    windows: tuple[PerformanceSummary, ...] = ()
    not_estimated: str = Field("", description="Why nothing is estimated, where it could be.")

    @property
    def newest_final(self) -> PerformanceSummary | None:
        """The newest window with a verdict that can not change any more."""
        final = [summary for summary in self.windows if summary.final]
        return final[-1] if final else None

    @property
    def headline(self) -> str:
        """The metric that is shown by window: the loss, or of several classes the accuracy."""
        known = {n for w in self.windows for n in (*w.metrics, *w.estimated, *w.reference)}
        return next((n for n in ("log_loss", "rmse", "accuracy") if n in known), "log_loss")


class OutcomeFacts(Record):
    """What `performance_report` states for others to read."""

    final: tuple[PerformanceSummary, ...] = Field((), description="The oldest first.")
    labelled: dict[Moment, int] = Field(
        {}, description="Start of each window -> predictions whose labels are known."
    )
    estimate: PerformanceSummary | None = Field(None, description="The newest window.")

    @classmethod
    def of(cls, report: PerformanceReport) -> Self:
        """What a report comes to."""
        return cls(
            final=tuple(window for window in report.windows if window.final),
            labelled={window.window.start: window.labelled_rows for window in report.windows},
            estimate=report.windows[-1] if report.windows else None,
        )


class FeatureSkew(Record):
    """One feature that was served with other values than the offline store holds."""

    feature: str
    rows: int
    example: str


class SkewSummary(Record):
    """Logged live requests against their features rebuilt from the offline store."""

    model: str
    rows: int = Field(description="Requests compared.")
    skewed: tuple[FeatureSkew, ...] = ()
    not_compared: str = Field("", description="Why none is compared, where some could be.")
