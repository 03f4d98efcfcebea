"""Metrics, and the gate."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from mlops_assets.blocks.base import Name, Settings, Task


class MetricLimits(Settings):
    """Bounds of one metric, both inclusive."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("give `min`, `max` or both")
        return self


METRICS: dict[Task, frozenset[str]] = {
    "binary": frozenset({"roc_auc", "log_loss", "brier", "calibration_ratio", "accuracy"}),
    "multiclass": frozenset({"roc_auc", "log_loss", "accuracy", "f1_macro"}),
    "regression": frozenset({"rmse", "mae", "r2", "bias"}),
}
"""What `ml.evaluation.metrics` computes for each task."""


class GateSettings(Settings):
    """What a model must reach to be deployed."""

    limits: dict[str, MetricLimits] = Field(
        default_factory=dict,
        description="By metric. Without any, a version must be shown to know more than the prior, "
        "which always gives the usual answer of the training rows: a coin flip is not deployed.",
    )
    against_champion: Literal["off", "non_inferior", "superior"] = Field(
        "non_inferior",
        description="On the same held-out rows, the loss (log loss, or squared error of a "
        "regression) must be shown to be at most `margin` worse than the champion's, or lower.",
    )
    alpha: float = Field(
        0.05, gt=0, lt=0.5, description="Chance of promoting a model that breaks that rule."
    )
    margin: float = Field(
        0.01, gt=0, lt=1, description="With non_inferior: a fraction of the champion's mean loss."
    )
    calibration_margin: float = Field(
        0.005,
        ge=0,
        lt=1,
        description="Miscalibration may not be shown to cost more than the champion's by this "
        "fraction of the champion's mean loss; a promise of 20 % too much at a rate of 10 % costs "
        "about 0.6 %.",
    )
    latency_p99_ms: float | None = Field(
        None, gt=0, description="Of scoring one row in the servable, on one thread."
    )
    max_size_mb: float | None = Field(
        None, gt=0, description="Of the model file; 1 MB = 1,000,000 bytes."
    )

    @field_validator("against_champion", mode="before")
    @classmethod
    def _bare_off(cls, value: object) -> object:
        """YAML reads a bare `off` as false."""
        return "off" if value is False else value

    @property
    def bounds(self) -> dict[str, MetricLimits]:
        """The limits of metrics and of the servable, by the names under which they are measured."""
        of_servable = {"latency_p99_ms": self.latency_p99_ms, "size_mb": self.max_size_mb}
        given = {name: MetricLimits(max=value) for name, value in of_servable.items() if value}
        return {**self.limits, **given}


class EvaluationSettings(Settings):
    """Metrics on the held-out rows, and the gate."""

    primary: str
    gate: GateSettings = GateSettings()
    slices: tuple[Name, ...] = Field(
        (),
        description="Features by whose values the rows are also compared with the champion, one "
        "value at a time; a number of more than ten values is cut at its quartiles.",
    )
    slice_margin: float = Field(
        0.05, ge=0, lt=1, description="No slice may be shown to lose more than this fraction."
    )
    min_slice_rows: int = Field(200, ge=2, description="Smaller slices are not compared.")
