"""The YAML schema of one model: its blocks, and how they must fit together. Nothing of Dagster.

What can be checked without reading data is checked here, so that a typo fails when the code
location loads, not an hour into a run.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import Self

from pydantic import model_validator

from mlops_assets.attributes import ModelAttributes
from mlops_assets.blocks.base import NUMBERS, Misfit, MisfitError, unknown
from mlops_assets.blocks.columns import fits
from mlops_assets.blocks.evaluation import METRICS
from mlops_assets.blocks.monitoring import MonitoringSettings


class ModelSettings(ModelAttributes):
    """One model's pipeline, from its source to its endpoint."""

    @model_validator(mode="after")
    def _blocks_fit(self) -> Self:
        if misfits := [misfit for check in _CHECKS for misfit in check(self)]:
            raise MisfitError(*misfits)
        return self


def _columns_exist(model: ModelAttributes) -> Iterator[Misfit]:
    kept, dropped = model.kept_columns, model.processing.drop_columns
    yield from unknown(dropped, model.contract.columns, "processing.drop_columns")
    yield from unknown([model.entity.name] if model.entity else [], kept, "entity.name")
    yield from unknown([model.timestamp] if model.timestamp else [], kept, "timestamp")
    yield from unknown(model.processing.fill_na, kept, "processing.fill_na")
    yield from unknown(model.features.columns, kept, "features.columns")
    for name, aggregate in model.features.aggregates.items():
        if aggregate.column:
            yield from unknown([aggregate.column], kept, f"features.aggregates.{name}.column")


def _keys_have_their_types(model: ModelAttributes) -> Iterator[Misfit]:
    columns, entity = model.contract.columns, model.key
    key, moment = columns.get(entity.name), columns.get(model.timestamp_column)
    if key and key.dtype != entity.dtype:
        yield Misfit(
            "entity.dtype",
            f"entity.dtype differs from the contract of {entity.name!r}: {entity.dtype} and "
            f"{key.dtype}; make them one",
        )
    if moment and moment.dtype != "datetime":
        yield Misfit(
            f"contract.columns.{model.timestamp}.dtype",
            f"the timestamp {model.timestamp!r} must be a datetime, not {moment.dtype}; correct "
            "the dtype, or name another column as timestamp",
        )


def _target_fits_the_shape(model: ModelAttributes) -> Iterator[Misfit]:
    if (model.target.agg is not None) != (model.features.shape == "event_log"):
        yield Misfit(
            "target",
            "over an event log the target needs `agg` and `window`; over a flat table it is a "
            "column and takes neither",
        )
    if (column := model.target_column) is None:
        return
    yield from unknown([column], model.kept_columns, "target.column")
    counts_moments = column == model.timestamp and model.target.agg == "nunique"
    if column in (model.key.name, model.timestamp) and not counts_moments:
        said = f"{column!r} says which row it is, not what became of it; name another column"
        yield Misfit("target.column", said)
    if column in model.features.columns:
        said = f"the target's column {column!r} is also a feature: a leak; remove it"
        yield Misfit("features.columns", said)


def _target_fits_its_column(model: ModelAttributes) -> Iterator[Misfit]:
    target, name = model.target, model.target_column
    column = model.contract.columns.get(str(name))
    if column is None or target.agg is not None:
        return
    if column.dtype == "datetime":
        yield Misfit("target.column", f"the datetime {name!r} is no target; name another column")
    elif target.positive is not None:
        if not fits(target.positive, column.dtype):
            said = f"{target.positive!r} is no {column.dtype}, as {name!r} is"
            yield Misfit("target.positive", f"{said}; put a text in quotes, and nothing else")
        elif column.allowed and target.positive not in column.allowed:
            said = f"{target.positive!r} is not among its allowed {list(column.allowed)}; name one"
            yield Misfit("target.positive", said)
    elif column.dtype == "string" and target.task != "multiclass":
        remedy = "set it to the text that is to be predicted, e.g. 'yes', in quotes"
        if target.task == "regression":
            remedy = "declare it as float64, or set target.task: multiclass"
        at = "target.positive" if target.task == "binary" else "target.task"
        yield Misfit(at, f"the target {name!r} is a text, no {target.task} value; {remedy}")


def _dates_are_datetimes(model: ModelAttributes) -> Iterator[Misfit]:
    for name, date in model.features.dates.items():
        at = f"features.dates.{name}.column"
        yield from unknown([date.column], model.kept_columns, at)
        column = model.contract.columns.get(date.column)
        if column and column.dtype != "datetime":
            yield Misfit(at, f"{date.column!r} is {column.dtype}; declare it as a datetime")
        if (date.column, date.part) == (model.timestamp, "age_days"):
            yield Misfit(at, f"the timestamp {date.column!r} is of age 0 in each row; name another")


def _names_differ(model: ModelAttributes) -> Iterator[Misfit]:
    reserved = ("event_timestamp", "prediction")
    names = [model.key.name, *reserved, model.target.name, *model.features.names]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield Misfit(
            "target.name" if model.target.name in twice else "features",
            f"entity, target and features share the names {twice}, with each other or with "
            f"{reserved}; rename them",
        )


def _aggregates_fit_their_columns(model: ModelAttributes) -> Iterator[Misfit]:
    aggregates = model.features.aggregates.items()
    used = [(f"features.aggregates.{name}.column", a.agg, a.column) for name, a in aggregates]
    for at, agg, column in [*used, ("target.column", model.target.agg, model.target.column)]:
        found = model.contract.columns.get(str(column))
        needs_number = agg in ("sum", "mean", "min", "max", "std")
        if needs_number and found and found.dtype not in NUMBERS:
            yield Misfit(at, f"{agg} of {column!r}: the column is no number but {found.dtype}")


def _events_can_be_chosen(model: ModelAttributes) -> Iterator[Misfit]:
    aggregates = model.features.aggregates.items()
    chosen = [(f"features.aggregates.{name}.where", a.where) for name, a in aggregates]
    for at, where in [*chosen, ("target.where", model.target.where)]:
        yield from unknown(where, model.kept_columns, at)
        known = {name: model.contract.columns[name] for name in where if name in model.kept_columns}
        for name, column in known.items():
            if column.dtype not in ("string", "int64", "bool"):
                said = f"{name!r} is {column.dtype}; name a column of type string, int64 or bool"
                yield Misfit(f"{at}.{name}", said)
            elif wrong := [value for value in where[name] if not fits(value, column.dtype)]:
                said = f"{wrong} are no {column.dtype}, as {name!r} is"
                yield Misfit(f"{at}.{name}", f"{said}; put a text in quotes, and nothing else")
            elif wrong := [v for v in where[name] if column.allowed and v not in column.allowed]:
                said = f"{wrong} are not among its allowed {list(column.allowed)}; name those"
                yield Misfit(f"{at}.{name}", said)


def _features_can_be_encoded(model: ModelAttributes) -> Iterator[Misfit]:
    encoded = model.processing.categorical_encoding
    yield from unknown(encoded, model.features.names, "processing.categorical_encoding")
    texts = [name for name, dtype in model.feature_dtypes.items() if dtype == "string"]
    if plain := [name for name in texts if name not in encoded]:
        said = f"text features {plain} need processing.categorical_encoding"
        yield Misfit("features.columns", said)
    columns = model.contract.columns
    used = {name: columns[name].dtype for name in model.features.columns if name in columns}
    if times := [name for name, dtype in used.items() if dtype == "datetime"]:
        said = (
            f"datetime columns {times} cannot be features; make numbers of them by features.dates"
        )
        yield Misfit("features.columns", said)


def _classes_can_be_told(model: ModelAttributes) -> Iterator[Misfit]:
    given, at = model.training.class_weight, "training.class_weight"
    none = "the target of a regression has no classes"
    if model.target.task == "regression" and given is not None:
        yield Misfit(at, f"{none}; use training.weight, a column")
    if model.target.task == "regression" and model.training.stratified:
        yield Misfit("training.sample.stratify", f"{none}; leave it out")
    if isinstance(given, dict) and model.target.task == "binary" and set(given) != {"0", "1"}:
        said = (
            f"weights of {sorted(given)}, but the classes of a binary target are 0 and 1, which is "
            'the positive one; write them as {"0": 1, "1": 5}'
        )
        yield Misfit(at, said)


def _weights_fit(model: ModelAttributes) -> Iterator[Misfit]:
    training, at = model.training, "training.weight"
    if training.weight is None:
        return
    if model.features.shape == "event_log":
        yield Misfit(at, "an event log has no column for a row of training; remove it")
        return
    yield from unknown([training.weight], model.kept_columns, at)
    column = model.contract.columns.get(training.weight)
    if column and column.dtype not in NUMBERS:
        yield Misfit(at, f"{training.weight!r} is no number but {column.dtype}; name another one")
    if training.weight in (*model.features.names, model.target.name, model.target_column):
        said = f"{training.weight!r} is also a feature or the target; remove it from one of them"
        yield Misfit(at, said)


def _metrics_exist(model: ModelAttributes) -> Iterator[Misfit]:
    known, watched = METRICS[model.target.task], (*model.features.names, "prediction")
    numbers = [name for name, dtype in model.feature_dtypes.items() if dtype != "string"]
    drift = model.monitoring.drift
    yield from unknown([model.evaluation.primary], known, "evaluation.primary")
    yield from unknown(model.evaluation.gate.limits, known, "evaluation.gate.limits")
    yield from unknown(model.evaluation.slices, model.features.names, "evaluation.slices")
    yield from unknown(drift.ignore, watched, "monitoring.drift.ignore")
    yield from unknown(drift.ageing, numbers, "monitoring.drift.ageing")


def _name_fits_the_cluster(model: ModelAttributes) -> Iterator[Misfit]:
    # For a Service, whose name has at most 63 characters, KServe appends `-predictor`; and the
    # version on trial has `--c` in it, which so no other model's may have.
    fits = len(model.name) <= 50 and not model.name.endswith("_") and "__" not in model.name
    if model.deployment.target != "local" and not fits:
        yield Misfit(
            "name",
            f"{model.name!r} names no Service of a cluster: at most 50 characters, a letter or "
            "digit at the end, and no two `_` in a row",
        )


def _time_is_known(model: ModelAttributes) -> Iterator[Misfit]:
    if model.timestamp and model.training.split is None:
        yield Misfit(
            "training.split",
            "it is missing: say what is held out, e.g. `{by: time, test: 1 month}` or "
            "`{by: random, fraction: 0.2}`",
        )
    if model.timestamp is None and model.split.by == "time":
        yield Misfit(
            "training.split",
            "a split by time needs a `timestamp`; name the column, or write "
            "`{by: random, fraction: 0.2}`",
        )
    missing = [name for name in ("entity", "timestamp") if getattr(model, name) is None]
    if model.features.shape == "event_log" and missing:
        yield Misfit(
            "features.snapshots",
            f"an event log needs `{'` and `'.join(missing)}`: whose an event is, and when it "
            "happened; name the columns, or describe a flat table by `features.columns`",
        )


def _rows_have_partitions(model: ModelAttributes) -> Iterator[Misfit]:
    if model.partitions is None:
        return
    unique = model.contract.unique
    if model.timestamp is None:
        said = "a row is of a partition by its `timestamp`; name the column, or leave them out"
        yield Misfit("partitions", said)
    elif unique and model.timestamp not in unique:
        yield Misfit(
            "contract.unique",
            f"rows of two partitions are never compared; add {model.timestamp!r}, or leave out "
            "`partitions`",
        )


def _ids_are_known(model: ModelAttributes) -> Iterator[Misfit]:
    """What happens by id needs one."""
    if model.entity is not None:
        if model.features.ttl is None:
            yield Misfit(
                "features.ttl",
                "it is missing: how old may a value be when it is served by id? e.g. `30d`",
            )
        return
    usual = MonitoringSettings()
    for place in _BY_ID:
        value = attrgetter(place)
        if value(model.monitoring) != value(usual):
            yield Misfit(
                f"monitoring.{place}",
                "it needs an `entity`: a prediction's outcome, and its features in the store, are "
                "found by id; leave it out, or name the column of an id",
            )


_BY_ID = ("labels", "performance", "skew", "retrain.performance", "retrain.min_new_labels")
"""What of `monitoring` is of use only where predictions have ids."""


_CHECKS = (
    _columns_exist,
    _keys_have_their_types,
    _time_is_known,
    _rows_have_partitions,
    _ids_are_known,
    _target_fits_the_shape,
    _target_fits_its_column,
    _dates_are_datetimes,
    _names_differ,
    _aggregates_fit_their_columns,
    _events_can_be_chosen,
    _features_can_be_encoded,
    _classes_can_be_told,
    _weights_fit,
    _metrics_exist,
    _name_fits_the_cluster,
)
"""How the blocks must fit together; every misfit is found at once."""
