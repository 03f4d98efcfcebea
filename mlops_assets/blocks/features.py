"""Features and the target, over an event log or a flat table."""

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from mlops_assets.blocks.base import (
    Aggregation,
    CalendarStep,
    ColumnName,
    Duration,
    Name,
    Settings,
    Task,
)


class AggregateSettings(Settings):
    """One number per entity and snapshot, from the events before the snapshot."""

    agg: Aggregation
    column: str | None = None
    window: Duration | None = Field(None, description="Only events this recent; default all.")

    @model_validator(mode="after")
    def _column_fits(self) -> Self:
        needs_none = self.agg in ("count", "days_since_first", "days_since_last")
        if needs_none != (self.column is None):
            raise ValueError(f"{self.agg} takes {'no' if needs_none else 'a'} column")
        return self


class SnapshotSettings(Settings):
    """The moments at which features are computed: start, start + every, ... up to end."""

    every: CalendarStep
    start: datetime
    end: datetime | None = Field(None, description="Inclusive; default the newest event.")


class FeatureSettings(Settings):
    """Windowed aggregates over an event log, or columns of a flat table."""

    snapshots: SnapshotSettings | None = None
    aggregates: dict[Name, AggregateSettings] = Field(default_factory=dict)
    columns: tuple[ColumnName, ...] = ()
    ttl: Duration | None = Field(
        None,
        description="How old a value may be when it is served by id: required with an `entity`.",
    )
    clock: Literal["wall", "data"] = Field(
        "wall",
        description="What age is measured against when serving: the time of the request, or, for "
        "replays of historical data, the newest feature.",
    )

    @property
    def shape(self) -> Literal["event_log", "flat_table"]:
        """Which of the two input shapes this block describes."""
        return "event_log" if self.snapshots else "flat_table"

    @property
    def names(self) -> tuple[str, ...]:
        """The model's feature names, in the order of its columns."""
        return tuple(self.aggregates) if self.snapshots else self.columns

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if bool(self.snapshots) != bool(self.aggregates):
            raise ValueError("an event log needs both `snapshots` and `aggregates`")
        if bool(self.columns) == bool(self.snapshots):
            raise ValueError("give `snapshots` and `aggregates`, or `columns`, but not both")
        return self


class TargetSettings(Settings):
    """What the model predicts: a future window of the event log, or a column of the table."""

    name: Name
    task: Task
    column: ColumnName | None = Field(
        None, description="Default: the target's name, or none for count."
    )
    agg: Literal["count", "sum", "mean", "max", "nunique"] | None = None
    window: Duration | None = None
    direction: Literal["future"] = "future"
    at_least: float | None = Field(None, description="Makes it binary: value >= at_least.")
    above: float | None = Field(None, description="Makes it binary: value > above.")
    missing: Literal["refuse", "unlabelled"] = Field(
        "refuse",
        description="Rows without a target (in an event log: a mean or max of no event): an error, "
        "or not trained on.",
    )

    @model_validator(mode="after")
    def _threshold_fits(self) -> Self:
        if self.at_least is not None and self.above is not None:
            raise ValueError("give `at_least` or `above`, not both")
        if (self.at_least is not None or self.above is not None) and self.task != "binary":
            raise ValueError(f"a threshold makes a binary target, not {self.task}")
        if (self.agg is None) != (self.window is None):
            raise ValueError("a target over an event log needs both `agg` and `window`")
        if self.agg is not None and (self.agg == "count") != (self.column is None):
            raise ValueError(f"{self.agg} takes {'no' if self.agg == 'count' else 'a'} column")
        return self
