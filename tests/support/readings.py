"""Tables of any type, and what a query makes of them compared with what the arrays make."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.contract import ContractReading
from mlops_assets.engines.readings.dialects import DIALECTS
from mlops_assets.engines.readings.query import Query
from mlops_assets.engines.readings.steps import Steps
from mlops_assets.ml.data.contract import Checked, violations
from mlops_assets.ml.data.delivered import checked
from mlops_assets.ml.data.reasons import reason_of

NAME, WHICH = "the table", "which row"
NOW = datetime(2024, 6, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
Run = Callable[[str, pa.Table, str], pa.Table]
"""Puts a table there under a name, asks a query, and takes it away."""

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
        rule |= draw(st.sampled_from([{}, {"min": -1}, {"max": 1.5}, {"min": 0, "max": 2**53}]))
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
    "int64": [pa.int8(), pa.int32(), pa.int64(), pa.decimal128(18, 0)],
    "float64": [pa.int32(), pa.float32(), pa.float64(), pa.decimal128(18, 2)],
    "bool": [pa.bool_()],
    "string": [pa.string()],
    "datetime": [pa.timestamp("us"), pa.date32()],
}
"""What a warehouse is likely to have for each type of the contract; datetimes without a zone."""


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
    ).model_copy(update={"contract": contract_of(contract)})


def contract_of(contract: dict[str, Any]) -> Any:
    from mlops_assets.blocks.data import ContractSettings

    return ContractSettings.model_validate(contract)


def compare_contract(
    table: pa.Table, settings: ModelSettings, run: Run, dialect: str = "duckdb"
) -> None:
    """The same good rows, and the same bad ones with the same reasons; the table's types count.

    The text of a reason in a query is that of the arrays, but for the value.
    """
    import ibis

    steps = Steps(DIALECTS[dialect])
    source = ibis.table(ibis.Schema.from_pyarrow(table.schema), name=NAME)
    found = ContractReading(settings, NOW).of(source, steps)
    judged = run(NAME, table, steps.ending(found.judged))
    expected = as_arrays(table, settings, run, dialect)

    names = list(settings.contract.columns)
    came = rows_of(judged, [f"raw_{place}" for place in range(len(names))], table, settings)
    typed = judged.select([f"value_{place}" for place in range(len(names))]).to_pylist()
    good, bad = [], []
    for row, (raw, values) in enumerate(zip(came, typed, strict=True)):
        broken = [
            rule for at, rule in enumerate(found.rules) if judged[f"broken_{at}"][row].as_py()
        ]
        said = [f"{'+'.join(one.columns)}.{one.rule}: {one.what}" for one in broken]
        assert judged["reason"][row].as_py() == "; ".join(said)
        if not broken:
            good.append(tuple(map(plain, values.values())))
            continue
        parts = [
            reason_of(o.columns, o.rule, [raw[name] for name in o.columns], o.what) for o in broken
        ]
        bad.append((*map(_spelled, raw.values()), "; ".join(parts)))
    assert_same(bad, expected.bad.drop(columns="row").itertuples(index=False, name=None))
    assert_same(good, plain_rows(expected.rows))


def compare_query(table: pa.Table, settings: ModelSettings, run: Run, **said: Any) -> None:
    """The same of the printed query, which knows of the table what the YAML says alone."""
    dialect = said.get("dialect", "duckdb")
    expected = as_arrays(table, settings, run, dialect)
    said = {"dialect": dialect, "table": f'"{NAME}"', "now": NOW, **said}
    good = run(NAME, table, Query(settings, "contract", **said).text())
    bad = run(NAME, table, Query(settings, "quarantine", **said).text())
    names = list(settings.contract.columns)
    assert good.column_names == names
    assert bad.column_names == [*names, "reason"]
    assert_same(
        [tuple(map(plain, row.values())) for row in good.to_pylist()], plain_rows(expected.rows)
    )
    kept = [
        {**dict(zip(names, row, strict=False))}
        for row in expected.bad[names].itertuples(index=False, name=None)
    ]
    rules = [re.findall(r"(?:^|; )([^;:]+?[.][a-z]+): ", one) for one in bad["reason"].to_pylist()]
    assert Counter(rule for each in rules for rule in each) == Counter(violations(expected))
    raw = rows_of(bad, names, table, settings)
    assert_same(
        [tuple(map(_spelled, row.values())) for row in raw], (tuple(row.values()) for row in kept)
    )


def as_arrays(table: pa.Table, settings: ModelSettings, run: Run, dialect: str) -> Checked:
    """What arrays make of the table, read as one of a source is: in an order of the database's."""
    import ibis

    contract = settings.contract
    unique = [name for column in contract.unique for name in contract.sources_of(column)]
    order = dict.fromkeys([*unique, *contract.read_columns])
    source = ibis.table(ibis.Schema.from_pyarrow(table.schema), name=NAME)
    asked = source.order_by([source[name] for name in order])[[WHICH]]
    places = run(NAME, table, Steps(DIALECTS[dialect]).ending(asked))[WHICH].to_pylist()
    frame = table.drop_columns(WHICH).to_pandas(integer_object_nulls=True)
    return checked(frame.iloc[places].reset_index(drop=True), settings, NOW)


def rows_of(
    found: pa.Table, columns: list[str], table: pa.Table, settings: ModelSettings
) -> list[dict[str, Any]]:
    """Raw columns of an answer as Python has them that reads the table."""
    contract = settings.contract
    kinds = [table.schema.field(contract.source_names[name]).type for name in contract.columns]
    arrays = [found[name].cast(kind) for name, kind in zip(columns, kinds, strict=True)]
    raw = pa.table(arrays, list(contract.columns)).to_pandas(integer_object_nulls=True)
    columns = list(contract.columns)
    return [
        dict(zip(columns, row, strict=True)) for row in zip(*(raw[n] for n in columns), strict=True)
    ]


def assert_same(found: Iterable[Any], expected: Iterable[Any]) -> None:
    """As rows in any order."""
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def plain_rows(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    rows = frame.astype(object).itertuples(index=False, name=None)
    return [tuple(map(plain, row)) for row in rows]


def _spelled(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)


def plain(value: Any) -> Any:
    """One spelling of what the contract's types hold alike in a table and in a frame."""
    if value is None or value is pd.NaT or value != value:
        return None
    if isinstance(value, datetime):
        stamp = pd.Timestamp(value)
        stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
        return stamp.as_unit("us").isoformat()
    if isinstance(value, date):
        return plain(datetime(value.year, value.month, value.day, tzinfo=UTC))
    return value if isinstance(value, str) else float(value) + 0.0


def example_table(name: str, every: int) -> pa.Table:
    """Some rows of an example as its owner has them in a warehouse, a few of them broken."""
    from mlops_assets.assets.data import source_files
    from mlops_assets.cli.facts.sql import written
    from mlops_assets.ml.data.delivered import checked_rows

    settings = written(name)
    with source_files(settings) as (files, _):
        rows = checked_rows(files, settings, datetime.now(UTC)).rows.iloc[::every]
    rows = pd.concat([rows, rows.iloc[:20]], ignore_index=True)  # keys repeat
    for place, column in enumerate(rows):
        kind = rows[column].dtype.kind
        rows[column] = rows[column].where(rows.index % 211 != place, -1 if kind in "if" else None)
        if kind == "M":
            rows[column] = rows[column].dt.tz_localize(None).dt.as_unit("us")
    table = pa.Table.from_pandas(rows, preserve_index=False)
    return table.append_column(WHICH, pa.array(range(len(rows)), pa.int64()))


def in_duckdb(name: str, table: pa.Table, query: str) -> pa.Table:
    """As `Run`."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'America/St_Johns'")  # no session's zone may matter
        connection.register("arrow", table)
        connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM arrow')
        return connection.sql(query).to_arrow_table()
