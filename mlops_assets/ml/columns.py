"""The columns of each table that a model has, told by its YAML alone, before any row was read.

What each is of, which rule it keeps, and of which columns of earlier tables it is made. How they
are shown is `assets.declared`; what rows really look like is `ml.summary`.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from mlops_assets.blocks.columns import ColumnContract, spelled_bound
from mlops_assets.blocks.features import AggregateSettings
from mlops_assets.config import ModelSettings
from mlops_assets.records.data import TIMESTAMP

Table = Literal[
    "raw_data", "processed_data", "features", "labels", "prediction_log", "batch_predictions"
]


class Cell(NamedTuple):
    """A column of another table."""

    table: Table
    column: str


class Column(NamedTuple):
    """One column of a table."""

    name: str
    dtype: str
    said: str = ""
    """What it is, for a person."""
    nullable: bool = False
    rules: tuple[str, ...] = ()
    """What else holds of its values."""
    made_of: tuple[Cell, ...] = ()


def computed(name: str, settings: ModelSettings) -> str:
    """How a feature is computed, e.g. `sum of amount over 90 days`."""
    aggregate, date = settings.features.aggregates.get(name), settings.features.dates.get(name)
    if date is not None:
        return f"{date.part} of {settings.contract.source_names[date.column]!r}"
    if aggregate is None:
        said = f" {settings.titles[name]!r}" if name in settings.titles else ""
        return f"column{said}, {settings.feature_dtypes[name]}"
    return _aggregated(aggregate)


def _aggregated(aggregate: AggregateSettings) -> str:
    of = f" of {aggregate.column}" if aggregate.column else ""
    over = f" over {aggregate.window.total_seconds() / 86_400:g} days" if aggregate.window else ""
    tests = [f"{name} {' or '.join(map(str, v))}" for name, v in aggregate.where.items()]
    chosen = f" where {' and '.join(tests)}" if tests else ""
    return f"{aggregate.agg}{of}{chosen}{over}"


def _raw(settings: ModelSettings) -> list[Column]:
    """Before the contract is enforced, so no rule holds yet: each is a text until then."""
    contract = settings.contract
    dtypes = {
        of: rule.dtype
        for name, rule in reversed(contract.columns.items())
        for of in contract.sources_of(name)
    }
    return [
        Column(of, "as delivered", f"to be {dtypes[of]}", nullable=True)
        for of in contract.read_columns
    ]


def _processed(settings: ModelSettings) -> list[Column]:
    contract, filled = settings.contract, settings.processing.fill_na
    columns = [
        Column(
            name,
            rule.dtype,
            _role(name, settings),
            nullable=rule.nullable and name not in filled,
            rules=_rules(rule),
            made_of=tuple(Cell("raw_data", of) for of in contract.sources_of(name)),
        )
        for name, rule in contract.columns.items()
        if name in settings.kept_columns
    ]
    if settings.entity is None:
        columns.append(Column(settings.key.name, "int64", "number of the row"))
    if settings.timestamp is None:
        columns.append(Column(settings.timestamp_column, "datetime", "when it was delivered"))
    return columns


def _features(settings: ModelSettings) -> list[Column]:
    dtypes, texts = settings.feature_dtypes, "as the training sees it"
    features = [
        Column(name, dtypes[name], computed(name, settings), nullable=True, made_of=cells)
        for name, cells in _feature_sources(settings).items()
    ]
    weight, said = settings.training.weight, "how much the row counts in the training"
    of = _processed_cells(settings, weight)
    weights = [Column(str(weight), "float64", said, nullable=True, made_of=of)] if weight else []
    target = _target(settings, f"{settings.target.task} target, where it is known, {texts}")
    return [*_keys(settings), target, *weights, *features]


def _labels(settings: ModelSettings) -> list[Column]:
    key, moment = settings.key, Cell("prediction_log", "features_as_of")
    return [
        Column(key.name, key.dtype, "the entity", made_of=(Cell("prediction_log", "entity"),)),
        Column(TIMESTAMP, "datetime", "that was predicted", made_of=(moment,)),
        _target(settings, f"{settings.target.task} target, known by now")._replace(nullable=False),
    ]


def _prediction_log(settings: ModelSettings) -> list[Column]:
    features = settings.features.names
    key = (Cell("features", settings.key.name),) if settings.entity else ()
    fed = tuple(Cell("features", name) for name in features)
    moment = (Cell("features", TIMESTAMP),)
    predicted = [Column("predicted", "string", "the class", nullable=True, made_of=fed)]
    return [
        Column("request_id", "string", "of the request, or of the batch"),
        Column("row", "int64", "place of the row in it"),
        Column("logged_at", "datetime"),
        Column("event_time", "datetime", "the moment that windows are told by"),
        Column("features_as_of", "datetime", "when they were known", nullable=True, made_of=moment),
        Column("source", "string", "how it was asked: online, features, snapshot or table"),
        Column("role", "string", "of the version: primary, canary, shadow or batch"),
        Column("entity", settings.key.dtype, "asked for", nullable=True, made_of=key),
        Column("score", "float64", _SCORES[settings.target.task], made_of=fed),
        Column("model_version", "int64"),
        Column("generation", "int64", "of the endpoint's state"),
        Column("latency_seconds", "float64", "of the request; none of a batch", nullable=True),
        *(predicted if settings.target.task == "multiclass" else []),
        *(
            Column(
                f"feature_{name}", dtype, "as it was fed to the model", nullable=True, made_of=of
            )
            for name, dtype in settings.feature_dtypes.items()
            for of in [(Cell("features", name),)]
        ),
    ]


def _batch(settings: ModelSettings) -> list[Column]:
    key, fed = settings.key, tuple(Cell("features", name) for name in settings.features.names)
    multiclass = settings.target.task == "multiclass"
    entity = Column(key.name, key.dtype, "the entity", made_of=(Cell("features", key.name),))
    shares = Column("probabilities", "struct", "one for each class", made_of=fed)
    unseen, said = "unseen_categories", "features whose category the training never saw"
    encoded = tuple(Cell("features", n) for n in settings.processing.categorical_encoding)
    return [
        *([entity] if settings.entity else []),
        Column("features_as_of", "datetime", made_of=(Cell("features", TIMESTAMP),)),
        Column(
            "prediction",
            "string" if multiclass else "float64",
            "the likeliest class" if multiclass else _SCORES[settings.target.task],
            made_of=fed,
        ),
        *([shares] if multiclass else []),
        *([Column(unseen, "list", said, nullable=True, made_of=encoded)] if encoded else []),
        Column("model_version_" if key.name == "model_version" else "model_version", "int64"),
        Column("scored_at_" if key.name == "scored_at" else "scored_at", "datetime"),
    ]


_SCORES = {
    "binary": "probability of the positive class",
    "multiclass": "the highest probability",
    "regression": "the predicted value",
}
TABLES: Mapping[str, Callable[[ModelSettings], list[Column]]] = {
    "raw_data": _raw,
    "processed_data": _processed,
    "features": _features,
    "labels": _labels,
    "prediction_log": _prediction_log,
    "batch_predictions": _batch,
}
"""Stage whose value is a table -> its columns, in their order."""


def _keys(settings: ModelSettings) -> list[Column]:
    key, moment = settings.key, _processed_cells(settings, settings.timestamp_column)
    said = "the snapshot" if settings.features.snapshots else "when the row is of"
    return [
        Column(key.name, key.dtype, "the entity", made_of=_processed_cells(settings, key.name)),
        Column(TIMESTAMP, "datetime", said, made_of=moment),
    ]


def _target(settings: ModelSettings, said: str) -> Column:
    target = settings.target
    dtype = "string" if _is_text(settings) else "float64"
    keys = (settings.key.name, settings.timestamp_column) if target.agg else ()
    cells = _processed_cells(settings, *keys, settings.target_column, *target.where)
    return Column(target.name, dtype, said, nullable=True, made_of=cells)


def _is_text(settings: ModelSettings) -> bool:
    rule = settings.contract.columns.get(str(settings.target_column))
    return settings.target.task == "multiclass" and rule is not None and rule.dtype == "string"


def _feature_sources(settings: ModelSettings) -> dict[str, tuple[Cell, ...]]:
    """Feature -> the columns of the processed rows that it is made of."""
    block = settings.features
    if block.snapshots:
        keys = (settings.key.name, settings.timestamp_column)
        return {
            name: _processed_cells(settings, *keys, aggregate.column, *aggregate.where)
            for name, aggregate in block.aggregates.items()
        }
    cells = {name: _processed_cells(settings, name) for name in block.columns}
    for name, date in block.dates.items():
        moment = settings.timestamp_column if date.part == "age_days" else None
        cells[name] = _processed_cells(settings, date.column, moment)
    return cells


def _processed_cells(settings: ModelSettings, *names: str | None) -> tuple[Cell, ...]:
    return tuple(Cell("processed_data", name) for name in dict.fromkeys(filter(None, names)))


def _role(name: str, settings: ModelSettings) -> str:
    roles = {settings.key.name: "the entity", settings.timestamp_column: "when a row is of"}
    if settings.target.agg is None:
        roles[str(settings.target_column)] = "what the target is made of"
    return roles.get(name, "")


def _rules(rule: ColumnContract) -> tuple[str, ...]:
    """What the contract asks of a value, for a person."""
    bounds = {">=": rule.min, "<=": rule.max}
    said = [f"{sign} {spelled_bound(bound)}" for sign, bound in bounds.items() if bound is not None]
    if rule.allowed:
        shown = ", ".join(map(str, rule.allowed[:_SHOWN]))
        more = f" and {len(rule.allowed) - _SHOWN} more" if len(rule.allowed) > _SHOWN else ""
        said.append(f"one of {shown}{more}")
    return tuple(said)


_SHOWN = 12
