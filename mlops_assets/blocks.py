"""The blocks of a model's YAML: frozen, typed, every unknown key refused. Nothing of Dagster.

A block mirrors a stage of the pipeline and checks what it can see alone; `mlops_assets.config` puts
them together and checks how they fit.
"""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=63)]
DottedPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]
DType = Literal["int64", "float64", "string", "bool", "datetime"]
Aggregation = Literal[
    "count", "sum", "mean", "min", "max", "std", "nunique", "days_since_first", "days_since_last"
]
Task = Literal["binary", "multiclass", "regression"]
Encoding = Literal["one_hot", "ordinal", "target"]
Scalar = bool | int | float | str

_DurationText = Annotated[str, Field(pattern=r"^[1-9]\d* ?(s|min|h|d|w)$")]
NUMBERS = ("int64", "float64")
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _parse_duration(value: object) -> object:
    """`90d`, `12h`, `30min`, `45s`, `2w` -> timedelta; anything else is left to Pydantic."""
    if isinstance(value, str) and (match := re.fullmatch(r"([1-9]\d*) ?(s|min|h|d|w)", value)):
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{value!r} is not a duration; write e.g. 90d, 12h, 30min, 45s or 2w")


def _format_duration(value: timedelta) -> str:
    return f"{int(value.total_seconds())}s"


Duration = Annotated[
    timedelta,
    # The pattern is what `dg check yaml` knows of it.
    BeforeValidator(_parse_duration, json_schema_input_type=_DurationText),
    PlainSerializer(_format_duration),
]
"""A fixed length of time, written `90d`, `12h`, `30min`, `45s` or `2w`."""

CalendarStep = Annotated[str, Field(pattern=r"^[1-9]\d* (day|week|month|year)s?$")]
"""A length in calendar units, written `1 month` or `3 months`."""


class Settings(BaseModel):
    """Immutable base of every block; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def digest(self) -> str:
        """Short hash of the values; it changes when what the YAML means does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]


class SourceSettings(Settings):
    """Where the raw rows come from: `uri` or `loader`, exactly one."""

    uri: str | None = Field(
        None, description="A path, a glob, or `package://PACKAGE/FILE` inside an installed package."
    )
    loader: DottedPath | None = Field(
        None, description="A function without arguments that returns a pandas DataFrame."
    )
    watch: tuple[str, ...] = Field(
        (), description="Only with `loader`: the URIs it reads, for the new-data sensor."
    )
    format: Literal["csv", "whitespace", "parquet"] = "csv"
    delimiter: str = Field(",", min_length=1, max_length=1, description="Only with format csv.")
    columns: tuple[str, ...] = Field((), description="Names, for a file without a header line.")
    missing: tuple[str, ...] = Field(("",), description="Texts that mean: no value.")
    final_newline: Literal["required", "optional"] = Field(
        "required", description="A file that does not end its last line may have been cut."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.uri is None) == (self.loader is None):
            raise ValueError("give exactly one of `uri` and `loader`")
        if self.watch and self.loader is None:
            raise ValueError("`watch` goes with `loader`; a `uri` is watched by itself")
        return self

    @model_validator(mode="after")
    def _format_fits(self) -> Self:
        if self.delimiter in '"\r\n\0':
            raise ValueError(f"delimiter {self.delimiter!r} cannot separate values")
        if self.delimiter != "," and self.format != "csv":
            raise ValueError(f"format {self.format} takes no delimiter")
        if self.columns and (self.format == "parquet" or self.loader):
            raise ValueError("`columns` names those of a text file without a header line")
        return self


class EntitySettings(Settings):
    """What a prediction is asked for."""

    name: Name
    dtype: Literal["int64", "string"] = "int64"


class ColumnContract(Settings):
    """What every value of one column must be."""

    dtype: DType
    nullable: bool = False
    min: float | None = None
    max: float | None = None
    allowed: tuple[Scalar, ...] = Field((), description="The only values that may occur.")
    format: str | None = Field(None, description="strptime format of a datetime; default ISO 8601.")
    timezone: str = Field("UTC", description="IANA zone of datetimes written without an offset.")
    offsets: Literal["one", "any"] = Field(
        "one", description="Whether the datetimes of one column may have several UTC offsets."
    )
    future: Literal["refuse", "allow"] = Field("refuse", description="Datetimes after now.")

    @property
    def is_number(self) -> bool:
        """Whether bounds make sense."""
        return self.dtype in ("int64", "float64")

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if (self.min is not None or self.max is not None) and self.dtype not in NUMBERS:
            raise ValueError(f"min and max need a number, not {self.dtype}")
        if wrong := [value for value in self.allowed if not _fits(value, self.dtype)]:
            raise ValueError(f"allowed values {wrong} are no {self.dtype}")
        return self

    @model_validator(mode="after")
    def _time_fits(self) -> Self:
        if self.format is not None and (self.dtype != "datetime" or "%" not in self.format):
            raise ValueError(f"format {self.format!r} is for datetimes, e.g. `%Y-%m-%d`")
        if "%Z" in (self.format or ""):
            raise ValueError(f"format {self.format!r}: names of zones are ambiguous; use %z")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as err:
            raise ValueError(f"timezone {self.timezone!r} is not known; write e.g. UTC") from err
        return self


class ContractSettings(Settings):
    """The columns of the source, and what happens to a row that breaks a rule."""

    columns: dict[str, ColumnContract] = Field(min_length=1)
    extra_columns: Literal["refuse", "drop"] = "refuse"
    unique: tuple[str, ...] = Field((), description="Columns that identify a row together.")
    bad_rows: Literal["quarantine", "refuse"] = "quarantine"
    max_bad_fraction: float = Field(
        0.01, ge=0, lt=1, description="A larger share of bad rows fails the check `contract_holds`."
    )

    @model_validator(mode="after")
    def _names_fit(self) -> Self:
        if taken := {"row", "reason"} & self.columns.keys():
            raise ValueError(f"columns {sorted(taken)} are the quarantine's own; rename them")
        require_known(self.unique, self.columns, "contract.unique")
        return self


class ProcessingSettings(Settings):
    """What `ml.processing.process` does; an empty block leaves the rows unchanged."""

    drop_columns: tuple[str, ...] = ()
    drop_duplicates: bool = False
    fill_na: dict[str, Scalar] = Field(default_factory=dict)
    categorical_encoding: dict[str, Encoding] = Field(
        default_factory=dict,
        description="Column -> encoding, fitted on the training rows; a plain list means one_hot.",
    )

    @model_validator(mode="before")
    @classmethod
    def _list_means_one_hot(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("categorical_encoding"), list | tuple):
            names = data["categorical_encoding"]
            return {**data, "categorical_encoding": dict.fromkeys(names, "one_hot")}
        return data


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
    columns: tuple[Name, ...] = ()
    ttl: Duration = Field(description="How old a value may be when it is served.")
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
    column: str | None = Field(None, description="Default: the target's name, or none for count.")
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


class SplitSettings(Settings):
    """Which rows are held out for the evaluation."""

    by: Literal["time", "random"] = "time"
    test: CalendarStep | None = Field(None, description="With by time: the last so many units.")
    fraction: float | None = Field(None, gt=0, lt=1, description="With by random.")

    @model_validator(mode="after")
    def _amount_fits(self) -> Self:
        if (self.by == "time") != (self.test is not None):
            raise ValueError("split by time needs `test`, e.g. `3 months`; by random it takes none")
        if (self.by == "random") != (self.fraction is not None):
            raise ValueError("split by random needs `fraction`, e.g. 0.2; by time it takes none")
        return self


class TrainingSettings(Settings):
    """Estimator, preparation and split."""

    estimator: DottedPath = "sklearn.ensemble.HistGradientBoostingClassifier"
    params: dict[str, Scalar | list[Scalar] | None] = Field(default_factory=dict)
    scale: bool = Field(False, description="Standardise numeric features.")
    impute: Literal["none", "median", "mean", "zero"] = "none"
    split: SplitSettings
    seed: int = Field(0, ge=0, lt=2**32)


class Limits(Settings):
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
"""What `ml.evaluation` computes for each task."""


class GateSettings(Settings):
    """What a model must reach to be deployed."""

    limits: dict[str, Limits] = Field(default_factory=dict)
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


class DeploymentSettings(Settings):
    """Where and how the model is served."""

    target: Literal["local"] = "local"
    port: int = Field(ge=1024, le=65535)
    workers: int = Field(1, ge=1, le=64)
    automatic: bool = Field(True, description="The training job deploys what passed the gate.")
    max_rows: int = Field(1000, ge=1, description="Rows per request.")
    max_body_bytes: int = Field(1_000_000, ge=1_000)


class MonitoringSettings(Settings):
    """What the sensors watch."""

    new_data_every: Duration = Field(timedelta(minutes=1), description="How often to look.")


class ScheduleSettings(Settings):
    """Cron expressions in UTC."""

    train: str | None = None


def _fits(value: Scalar, dtype: DType) -> bool:
    kinds = {"int64": int, "float64": int | float, "string": str, "bool": bool, "datetime": str}
    return isinstance(value, kinds[dtype]) and (dtype == "bool" or not isinstance(value, bool))


def require_known(names: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise `ValueError` for names that are not known."""
    if unknown := sorted(set(names) - set(known)):
        raise ValueError(f"{where}: {unknown} not among {sorted(known)}")
