"""Features and the target, over an event log or a flat table."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from mlops_assets.blocks.base import (
    Aggregation,
    CalendarStep,
    ColumnName,
    DayTime,
    Duration,
    Name,
    Scalar,
    Settings,
    Task,
)


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


Where = dict[
    str,
    Annotated[
        tuple[Scalar, ...],
        Field(min_length=1),
        BeforeValidator(_listed, json_schema_input_type=Scalar | list[Scalar]),
    ],
]
"""Column -> the values of which an event must have one, in each of the columns."""


class AggregateSettings(Settings):
    """One number per entity and snapshot, from the events before the snapshot."""

    agg: Aggregation
    column: str | None = None
    where: Where = Field(
        default_factory=dict,
        description="Only events with this value, or one of these, e.g. `{event_type: view}`.",
    )
    window: Duration | None = Field(None, description="Only events this recent; default all.")

    @model_validator(mode="after")
    def _column_fits(self) -> Self:
        needs_none = self.agg in ("count", "days_since_first", "days_since_last")
        if needs_none != (self.column is None):
            raise ValueError(f"{self.agg} takes {'no' if needs_none else 'a'} column")
        return self


DatePart = Literal["age_days", "month", "weekday", "hour", "dayofyear", "year"]


class DateSettings(Settings):
    """A number made of a datetime of each row."""

    column: str
    part: DatePart = Field(
        description="`age_days`: days from the datetime to the row's timestamp, with their "
        "fraction. The others are read from the clock of the column's `timezone`; Monday is 0."
    )


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class SnapshotSettings(Settings):
    """The moments at which features are computed: start, start + every, ... up to end."""

    every: CalendarStep
    start: DayTime
    end: DayTime | None = Field(None, description="Inclusive; default the newest event.")

    @model_validator(mode="after")
    def _end_is_later(self) -> Self:
        first, last = self.start, self.end
        if last is not None and _in_utc(first) > _in_utc(last):
            raise ValueError(f"end {last} is before start {first}; correct one of them")
        return self


class FeatureSettings(Settings):
    """Windowed aggregates over an event log, or columns of a flat table."""

    snapshots: SnapshotSettings | None = None
    aggregates: dict[Name, AggregateSettings] = Field(default_factory=dict)
    columns: tuple[ColumnName, ...] = ()
    dates: dict[Name, DateSettings] = Field(
        default_factory=dict,
        description="Of a flat table: numbers made of its datetimes, beside `columns`.",
    )
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
        return tuple(self.aggregates) if self.snapshots else (*self.columns, *self.dates)

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        if bool(self.snapshots) != bool(self.aggregates):
            raise ValueError("an event log needs both `snapshots` and `aggregates`")
        if bool(self.columns or self.dates) == bool(self.snapshots):
            raise ValueError(
                "give `snapshots` and `aggregates`, or `dates` and `columns`, but not both"
            )
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
    where: Where = Field(
        default_factory=dict,
        description="Of an event log: only events with this value, or one of these.",
    )
    direction: Literal["future"] = "future"
    at_least: float | None = Field(None, description="Makes it binary: value >= at_least.")
    above: float | None = Field(None, description="Makes it binary: value > above.")
    positive: Scalar | None = Field(
        None,
        description="Makes it binary: the value of a column of texts, numbers or booleans that is "
        "to be predicted; every other value is not. A boolean column, or one of 0 and 1, needs "
        "none.",
    )
    missing: Literal["refuse", "unlabelled"] = Field(
        "refuse",
        description="Rows without a target (in an event log: a mean or max of no event): an error, "
        "or not trained on.",
    )

    @model_validator(mode="after")
    def _threshold_fits(self) -> Self:
        given = [n for n in ("at_least", "above", "positive") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ValueError(f"give `{given[0]}` or `{given[1]}`, not both")
        if given and self.task != "binary":
            raise ValueError(f"`{given[0]}` makes a binary target, not {self.task}")
        if self.positive is not None and self.agg is not None:
            raise ValueError("`positive` is a value of a flat table; with `agg` give `at_least`")
        if (self.agg is None) != (self.window is None):
            raise ValueError("a target over an event log needs both `agg` and `window`")
        if self.where and self.agg is None:
            raise ValueError("`where` chooses events; over a flat table there is one row each")
        if self.agg is not None and (self.agg == "count") != (self.column is None):
            raise ValueError(f"{self.agg} takes {'no' if self.agg == 'count' else 'a'} column")
        return self
