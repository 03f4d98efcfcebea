"""A registered version, its metrics, how it compares with the champion, and its card."""

from datetime import datetime
from typing import Any, Self

from pydantic import AwareDatetime, Field

from mlops_assets.blocks.base import Markdown, Moment, Record
from mlops_assets.blocks.card import CardSettings
from mlops_assets.records.data import RejectedRows
from mlops_assets.records.reproduction import EstimatorChoice, SampledRows


class ModelVersion(Record):
    """One registered version of a model."""

    name: str
    version: int
    run_id: str
    uri: str = Field(description="E.g. `models:/customers/3`.")


class LossDifference(Record):
    """Loss of a challenger less that of the champion on the same rows; positive is worse."""

    rows: int
    clusters: int = Field(description="Independent groups of rows, e.g. entities.")
    champion_loss: float = Field(description="Mean over the rows.")
    challenger_loss: float
    standard_error: float | None = Field(description="Of the difference; None: one cluster only.")
    lower: float | None = Field(
        description="Of the two-sided interval at 1 - 2 alpha, as a fraction of the champion's "
        "loss; None: the rows do not bound it."
    )
    upper: float | None
    p_value: float

    @property
    def difference(self) -> float:
        """In units of the loss."""
        return self.challenger_loss - self.champion_loss

    @property
    def relative(self) -> float:
        """As a fraction of the champion's loss; infinite if that is 0 and the challenger's not."""
        if self.champion_loss == 0:
            return 0.0 if self.difference == 0 else float("inf")
        return self.difference / self.champion_loss


class SliceComparison(Record):
    """The comparison on some of the rows."""

    name: str = Field(description="E.g. `origin=JFK`.")
    loss: LossDifference
    adjusted_p_value: float = Field(description="Holm's, over all slices.")
    worse: bool = Field(description="Shown to lose more than `evaluation.slice_margin`.")


class CalibrationComparison(Record):
    """The part of the loss that is miscalibration, on the same rows."""

    champion: float = Field(description="Mean over the rows, in units of the loss.")
    challenger: float
    lower: float | None = Field(
        description="Of the difference, two-sided at 1 - 2 alpha, as a fraction of the champion's "
        "whole loss; None: the rows do not bound it."
    )
    upper: float | None
    p_value: float
    worse: bool = Field(description="Shown to lose more than `gate.calibration_margin`.")


class Comparison(Record):
    """A challenger beside the champion on the same held-out rows."""

    loss_name: str
    overall: LossDifference
    passed: bool = Field(description="By `evaluation.gate.against_champion`, slices apart.")
    slices: tuple[SliceComparison, ...] = ()
    calibration: CalibrationComparison | None = Field(None, description="None if not asked for.")


class Baseline(Record):
    """A version beside the prior on the held-out rows: `ml.evaluation.baseline`."""

    loss_name: str
    rows: int
    prior_loss: float = Field(description="Mean over the rows, of the same answer to all of them.")
    loss: float = Field(description="The same of the version.")
    p_value: float = Field(description="Of knowing nothing more; adjusted for two tests if binary.")
    passed: bool


class GateDecision(Record):
    """Whether a version may be deployed."""

    promoted: bool
    reasons: tuple[str, ...] = Field((), description="One sentence per broken rule.")


class Importance(Record):
    """What one feature is worth to a version."""

    feature: str
    added_loss: float = Field(description="Mean over the rows, when the feature is shuffled.")
    deviation: float = Field(description="Standard deviation over the shuffles.")


class CurvePoint(Record):
    """A version's estimator, fitted on some rows."""

    rows: int
    loss: float = Field(description="Mean over held-out rows.")
    training_loss: float = Field(description="Mean over the rows that it was fitted on.")


class Evaluation(Record):
    """Metrics of one model version on the held-out rows, and what the gate made of them."""

    model: ModelVersion
    metrics: dict[str, float] = Field(
        description="On the rows, and `size_mb` and `latency_p99_ms` of the servable."
    )
    train_rows: int
    test_rows: int
    learnt_until: AwareDatetime = Field(description="Newest moment of those rows.")
    champion: ModelVersion | None = Field(None, description="At the time of the evaluation.")
    comparison: Comparison | None = None
    not_compared: str = Field("", description="Why there is no comparison.")
    baseline: Baseline | None = Field(
        None, description="Where `gate.limits` is empty; None of what an earlier release stored."
    )
    files: dict[str, str] = Field(
        {},
        description="Of the version, as they were evaluated -> SHA-256; none of what an earlier "
        "release stored, which must be evaluated again to be deployed.",
    )
    decision: GateDecision


class EvaluationFacts(Record):
    """What `evaluation_report` states for others to read."""

    model_uri: str
    learnt_until: Moment | None = None
    champion: str = Field(description="Its URI at the time of the evaluation, or `none`.")
    promoted: bool
    reasons: str = Field(description="A sentence per broken rule, or `none`.")
    model_card: Markdown = ""

    @classmethod
    def of(cls, report: Evaluation, model_card: str) -> Self:
        """What an evaluation comes to."""
        return cls(
            model_uri=report.model.uri,
            learnt_until=report.learnt_until,
            champion=report.champion.uri if report.champion else "none",
            promoted=report.decision.promoted,
            reasons="; ".join(report.decision.reasons) or "none",
            model_card=model_card,
        )


class Period(Record):
    """First and last moment, both included."""

    first: datetime
    last: datetime


class ModelCard(Record):
    """One version: where it comes from, how good it is, what it is for."""

    evaluation: Evaluation
    description: str
    owners: tuple[str, ...]
    purpose: CardSettings
    data_version: str | None = Field(description="DVC md5 of the raw data trained on.")
    rejected: RejectedRows | None = Field(
        None, description="Of that version, before the training; None: not recorded."
    )
    git_sha: str | None
    target: str
    estimator: str
    params: dict[str, Any]
    features: dict[str, str] = Field(description="Name -> how it is computed.")
    inference: str = Field("", description="By what it is served, and why.")
    choice: EstimatorChoice | None = Field(None, description="Of `training.estimator: auto`.")
    sample: SampledRows | None = Field(None, description="Of `training.sample`; None: all rows.")
    external_memory: bool = Field(False, description="As `training.external_memory`.")
    train_period: Period
    test_period: Period
