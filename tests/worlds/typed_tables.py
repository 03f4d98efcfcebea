"""Tables that have types, as a warehouse keeps them, and models over them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from mlops_assets.blocks.data import ContractSettings, ProcessingSettings, SourceSettings
from mlops_assets.blocks.features import DateSettings
from mlops_assets.config import ModelSettings
from tests.support.tables.engines import AGGREGATES, ENTITIES, EVENTS, NAMES, TARGETS
from tests.support.toy_models import event_log, flat_table

WHICH = "which row"
"""A column that no contract has."""
NOW = datetime(2024, 6, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001

_NEAR_NOW = [timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1)]
_DAYS = st.integers(-120_000, 120_000)
_MOMENTS = st.one_of(
    st.tuples(_DAYS, st.integers(0, 86_400_000_000 - 1)).map(
        lambda at: EPOCH + timedelta(days=at[0], microseconds=at[1])
    ),
    st.sampled_from([NOW.replace(tzinfo=None) + near for near in _NEAR_NOW]),
    st.sampled_from([datetime(2024, 1, 1), datetime(2020, 2, 29, 12)]),  # noqa: DTZ001
)
_INTEGERS = st.one_of(
    st.integers(-3, 3), st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)])
)
_FLOATS = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-4, 4),
    st.sampled_from([float("nan"), float("inf"), -float("inf"), -0.0, 2.0**53, -(2.0**60), 1e300]),
)
_TEXTS = st.sampled_from(["a", "A", "ä", "a ", "", "'", "; x.y: z", "nan", "-", "😀", "\\n", "1"])
_CENTS = ["1.50", "9007199254740991.5", "4503599627370497.25", "9007199254740993.00", str(2**64)]
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.int8(): st.integers(-3, 3),
    pa.int32(): st.integers(-3, 3),
    pa.int64(): _INTEGERS,
    pa.uint64(): st.integers(0, 3) | st.sampled_from([2**63 - 1, 2**63, 2**64 - 1]),
    pa.float32(): st.floats(-4, 4, width=32) | st.sampled_from([float("nan"), float("inf")]),
    pa.float64(): _FLOATS,
    pa.decimal128(20, 0): _INTEGERS.map(Decimal) | st.just(Decimal(2**64)),
    pa.decimal128(18, 0): (st.integers(-3, 3) | st.just(2**53 + 1)).map(Decimal),
    pa.decimal128(18, 2): st.sampled_from(["1", "0", "1.50", "-2.25", str(2**53)]).map(Decimal),
    pa.decimal128(38, 2): _INTEGERS.map(Decimal) | st.sampled_from(_CENTS).map(Decimal),
    pa.bool_(): st.booleans(),
    pa.string(): _TEXTS,
    pa.timestamp("us"): _MOMENTS,
    pa.timestamp("us", "UTC"): _MOMENTS.map(lambda at: at.replace(tzinfo=UTC)),
    pa.date32(): _DAYS.map(lambda days: date(1970, 1, 1) + timedelta(days=days)),
}
SUITED = {
    "int64": [kind for kind in VALUES if not pa.types.is_string(kind)],
    "float64": [kind for kind in VALUES if not pa.types.is_string(kind)],
    "bool": [kind for kind in VALUES if not pa.types.is_string(kind)],
    "string": list(VALUES),
    "datetime": [
        kind for kind in VALUES if not pa.types.is_string(kind) and not pa.types.is_decimal(kind)
    ],
}
"""What a query can read as each type of the contract."""
ALLOWED = {
    "int64": [[0, 1, 2]],
    "float64": [[0.0, 1.5, 2]],
    "bool": [[True]],
    "string": [["a", "'", ""]],
    "datetime": [["2024-01-01", "2020-02-29T12:00"]],
}
ODD_NAMES = ['say "a"', "it's", "Größe (cm)", "select", "a.b", "x; y", "💡", "value_0", "end"]


@st.composite
def rules(draw: st.DrawFn, dtype: str, kind: pa.DataType) -> dict[str, Any]:
    """A contract of a column of that type."""
    rule: dict[str, Any] = {"dtype": dtype, "nullable": draw(st.booleans())}
    if dtype in ("int64", "float64"):
        rule |= draw(
            st.sampled_from(
                [
                    {},
                    {"min": -1},
                    {"max": 1.5},
                    {"min": 0, "max": 2**53},
                    {"max": 2**63 - 2},
                    {"min": -(2**63) - 1, "max": 2.0**63},
                ]
            )
        )
    if draw(st.integers(0, 3)) == 0:
        rule["allowed"] = draw(st.sampled_from(ALLOWED[dtype]))
    if dtype == "datetime":
        rule["future"] = draw(st.sampled_from(["refuse", "allow"]))
    if dtype == "string" and pa.types.is_string(kind) and draw(st.booleans()):
        rule["missing"] = ["-", "nan"]
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        rule |= draw(st.sampled_from([{}, {}, {"missing": ["-1", "n/a"]}]))
    return rule


@st.composite
def tables(
    draw: st.DrawFn, suited: Mapping[str, list[pa.DataType]], names: Sequence[str] = ODD_NAMES
) -> tuple[pa.Table, dict[str, Any]]:
    """Up to twelve rows of columns that may break any rule, and their contract."""
    size = draw(st.integers(0, 12))
    columns, contract = {}, {}
    for place, name in enumerate(draw(st.permutations(names))[: draw(st.integers(1, 4))]):
        dtype = draw(st.sampled_from(sorted(suited)))
        kind = draw(st.sampled_from(suited[dtype]))
        values = draw(st.lists(VALUES[kind] | st.none(), min_size=size, max_size=size))
        columns[name] = pa.array(values, kind)
        contract[f"C{place}"] = {**draw(rules(dtype, kind)), "from": name}
    columns[WHICH] = pa.array(range(size), pa.int64())
    unique = draw(st.lists(st.sampled_from(sorted(contract)), max_size=2, unique=True))
    rest = {"unique": unique, "extra_columns": "drop"}
    return pa.table(columns), {"columns": contract, **rest}


KEPT_AS = {
    "int64": [pa.int8(), pa.int32(), pa.int64(), pa.decimal128(18, 0), pa.decimal128(38, 2)],
    "float64": [pa.int32(), pa.float32(), pa.float64(), pa.decimal128(18, 2)],
    "bool": [pa.bool_()],
    "string": [pa.string()],
    "datetime": [pa.timestamp("us"), pa.date32()],
}
"""What a warehouse is likely to have for each type of the contract; datetimes without a zone."""


@st.composite
def event_logs(draw: st.DrawFn, without: str | None = None) -> tuple[pa.Table, ModelSettings, bool]:
    """A shop's events as a table, a model of them, and whether their moments have a zone.

    No event of the item `without`.
    """
    rows = [row for row in draw(EVENTS) if without is None or row[3] != without]
    entity, names = draw(st.sampled_from(ENTITIES)), draw(NAMES)
    target, zoned = draw(st.sampled_from(TARGETS)), draw(st.booleans())
    frame = pd.DataFrame(rows, columns=["customer", "at", "amount", "item", "paid", "shop"])
    if entity == "string":
        frame["customer"] = "c" + frame["customer"].astype(str)
    frame["at"] = pd.to_datetime(frame["at"], utc=True).dt.tz_convert(None).dt.as_unit("us")
    kinds = {"amount": pa.float64(), "item": pa.string(), "paid": pa.bool_(), "shop": pa.int64()}
    columns: dict[str, Any] = {
        "customer": pa.array(frame["customer"].tolist(), VALUE_OF[entity]),
        "at": pa.array(frame["at"].tolist(), pa.timestamp("us")).cast(
            pa.timestamp("us", "UTC" if zoned else None)
        ),
    }
    values = [[row[place] for row in rows] for place in (2, 3, 4, 5)]
    columns |= {
        name: pa.array(column, kind)
        for (name, kind), column in zip(kinds.items(), values, strict=True)
    }
    columns[WHICH] = pa.array(range(len(rows)), pa.int64())
    settings = event_log(
        {name: AGGREGATES[name] for name in names},
        target={"task": "regression", "window": "10d", **target},
        snapshots=draw(st.sampled_from(_SNAPSHOTS)),
        entity=entity,
    )
    clock = draw(st.sampled_from(["data", "wall"]))
    block = settings.features.model_copy(update={"clock": clock})
    settings = settings.model_copy(update={"features": block})
    return pa.table(columns), _of_table(settings, draw(st.sampled_from(_PROCESSED))), zoned


VALUE_OF = {"int64": pa.int64(), "string": pa.string()}
_SNAPSHOTS = [
    {"every": "10 days", "start": "2024-01-11"},
    {"every": "1 week", "start": "2024-01-05", "end": "2024-02-20"},
]
_PROCESSED: list[dict[str, Any]] = [
    {}, {"drop_duplicates": True}, {"fill_na": {"amount": 0.5, "paid": False}},
]  # fmt: skip


def _of_table(settings: ModelSettings, processing: dict[str, Any]) -> ModelSettings:
    """The same of typed rows, processed in that way."""
    source = SourceSettings(uri="toy.parquet", format="parquet")
    contract = settings.contract.model_copy(update={"extra_columns": "drop"})
    block = {**settings.processing.model_dump(), **processing}
    update = {"source": source, "contract": contract}
    return settings.model_copy(
        update={**update, "processing": ProcessingSettings.model_validate(block)}
    )


FLAT = {
    "size": pa.int64(), "kind": pa.string(), "flag": pa.bool_(), "weight": pa.float64(),
    "born": pa.timestamp("us"), "y": pa.float64(), "class": pa.string(),
}  # fmt: skip
FLAT_TARGETS: list[dict[str, Any]] = [
    {"task": "regression", "column": "y"},
    {"task": "binary", "column": "y", "above": 1},
    {"task": "binary", "column": "y", "at_least": 1.0},
    {"task": "binary", "column": "class", "positive": "a"},
    {"task": "binary", "column": "flag2", "positive": True},
    {"task": "multiclass", "column": "class"},
]


@st.composite
def flat_tables(draw: st.DrawFn) -> tuple[pa.Table, ModelSettings]:
    """A table of any values, and a model of it."""
    size = draw(st.integers(1, 12))

    def column(kind: pa.DataType, values: Any) -> pa.Array:
        return pa.array(draw(st.lists(values | st.none(), min_size=size, max_size=size)), kind)

    numbers = st.integers(-3, 3).map(float) | st.floats(-1e9, 1e9) | st.just(float("nan"))
    values = {"weight": numbers, "y": numbers, "size": st.integers(-(2**53), 2**53)}
    columns: dict[str, Any] = {"id": pa.array(range(size), pa.int64())}
    columns["at"] = pa.array(draw(st.lists(_MOMENTS, min_size=size, max_size=size)))
    columns |= {name: column(kind, values.get(name, VALUES[kind])) for name, kind in FLAT.items()}
    columns["flag2"] = column(pa.bool_(), st.booleans())
    columns[WHICH] = pa.array(range(size), pa.int64())
    named = {
        "size": "int64", "kind": "string", "flag": "bool", "weight": "float64",
        "born": "datetime", "y": "float64", "class": "string", "flag2": "bool",
    }  # fmt: skip
    dates = {
        part: {"column": "born", "part": part}
        for part in ("age_days", "month", "weekday", "hour", "dayofyear", "year")
    }
    settings = flat_table(
        named,
        features=("size", "kind", "flag"),
        encoding={"kind": "one_hot"},
        target={**draw(st.sampled_from(FLAT_TARGETS)), "missing": "unlabelled"},
        training={
            "split": {"by": "random", "fraction": 0.3},
            "weight": draw(st.sampled_from([None, "weight"])),
        },
    )
    block = settings.features.model_copy(
        update={"dates": {n: DateSettings.model_validate(d) for n, d in dates.items()}}
    )
    fill = draw(st.sampled_from([{}, {"fill_na": {"size": 7, "kind": "none", "flag": True}}]))
    return pa.table(columns), _of_table(settings.model_copy(update={"features": block}), fill)


def large_numbers() -> tuple[pa.Table, dict[str, Any]]:
    """An int64 that a warehouse keeps as decimals: outside its range, at its edge, with cents."""
    edge = 2**63
    values = [10**19, edge, edge - 1, -edge, -edge - 1, 2**53 + 1, 7, None]
    exact = [Decimal(value) if value is not None else None for value in values]
    cents = [Decimal(value) for value in (*_CENTS, "9007199254740993.5")]
    many = pa.array([*exact, *cents], pa.decimal128(38, 2))
    table = pa.table({"n": many, WHICH: pa.array(range(len(many)), pa.int64())})
    return table, {"columns": {"n": {"dtype": "int64", "min": -1e30}}}


def model_of(contract: dict[str, Any]) -> ModelSettings:
    """The least model that has this contract, and is not looked at."""
    plain = {"dtype": "float64", "nullable": True}
    return ModelSettings.model_validate(
        {
            "name": "toy",
            "source": {"uri": "toy.parquet", "format": "parquet"},
            "contract": {
                "columns": {"y": plain, "x": plain},
            },
            "features": {"columns": ["x"]},
            "target": {"name": "y", "task": "regression"},
            "training": {"estimator": "sklearn.linear_model.LinearRegression"},
            "evaluation": {"primary": "rmse"},
            "deployment": {"port": 3000},
        }
    ).model_copy(update={"contract": ContractSettings.model_validate(contract)})
