"""Tables of any type, and what a query makes of them compared with what the arrays make."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.contract import ContractReading
from mlops_assets.engines.readings.dialects import DIALECTS
from mlops_assets.engines.readings.query import Query
from mlops_assets.engines.readings.steps import Steps
from mlops_assets.errors import FeatureError
from mlops_assets.ml.data.contract import Checked, violations
from mlops_assets.ml.data.delivered import checked
from mlops_assets.ml.data.processing import process
from mlops_assets.ml.data.reasons import reason_of
from mlops_assets.ml.features.build import build_features, build_labels
from mlops_assets.ml.features.labelled import rows_until, with_targets
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.monitoring.profiles import profile, profile_reference
from mlops_assets.records.data import FeatureView, stored_name
from mlops_assets.records.profile import Ageing
from mlops_assets.scoring.snapshot import Snapshot
from tests.worlds.typed_tables import NOW, WHICH

NAME = "the table"
Run = Callable[[str, pa.Table, str], pa.Table]
"""Puts a table there under a name, asks a query, and takes it away."""


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
    moments = [name for name, rule in settings.contract.columns.items() if rule.dtype == "datetime"]
    assert all(
        pa.types.is_timestamp(good[name].type)
        for name in moments
        if good[name].null_count < len(good)
    )
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
    """As rows in any order; a failure shows the rows that one side alone has."""
    one, other = Counter(map(repr, found)), Counter(map(repr, expected))
    assert one == other, f"found alone: {one - other}; expected alone: {other - one}"


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


def compare_parts(table: pa.Table, settings: ModelSettings, run: Run, **said: Any) -> None:
    """Features, labels and training rows of the printed queries are those of the arrays.

    Where arrays refuse the rows, there is nothing to compare.
    """
    said = {"dialect": "duckdb", "table": f'"{NAME}"', "now": NOW, **said}
    found = as_arrays(table, settings, run, said["dialect"]).rows
    try:
        rows = process(found, settings.processing)
        features = build_features(rows, settings)
        happened = rows_until(rows, settings, NOW)
        labels = build_labels(happened, features, settings)
        training = with_targets(features, rows, settings, NOW)
    except FeatureError:
        return
    expected = {"features": features, "labels": labels, "training": training}
    if settings.features.shape == "event_log":
        expected["scoring"] = _scored(features, settings)
    for part, frame in expected.items():
        got = run(NAME, table, Query(settings, part, **said).text())
        _assert_alike(got, frame, settings, _summed(table))


def _assert_alike(
    found: pa.Table, expected: pd.DataFrame, settings: ModelSettings, scale: float
) -> None:
    keys = [settings.key.name, TIMESTAMP]
    assert found.column_names == list(expected.columns)
    rows = found.to_pandas(integer_object_nulls=True)
    rows[TIMESTAMP] = pd.to_datetime(rows[TIMESTAMP], utc=True).astype("datetime64[us, UTC]")
    rows = rows.sort_values(keys, ignore_index=True)
    wanted = expected.astype({TIMESTAMP: "datetime64[us, UTC]"})
    wanted = wanted.sort_values(keys, ignore_index=True)
    for name in keys:
        assert rows[name].tolist() == wanted[name].tolist()
    for name in wanted.columns[2:]:
        if wanted[name].dtype == object:
            assert [*map(plain, rows[name])] == [*map(plain, wanted[name])]
            continue
        a, b = (each[name].astype("float64").to_numpy() for each in (wanted, rows))
        one = settings.features.aggregates.get(name)
        summed = (one and one.agg in _SUMMED) or name == settings.target.name
        near = 1e-12 if summed else 0
        np.testing.assert_allclose(b, a, rtol=near, atol=near * scale, err_msg=name)


_SUMMED = ("sum", "mean", "std")


def _scored(features: pd.DataFrame, settings: ModelSettings) -> pd.DataFrame:
    """What `mlops score` would feed the model."""
    view = FeatureView.of(settings)
    now = features[TIMESTAMP].max() if settings.features.clock == "data" else pd.Timestamp(NOW)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "features.parquet")
        features.rename(columns=stored_name).to_parquet(file, index=False)
        batches = [*Snapshot(file, view, now.to_pydatetime()).batches()]
    asked = [batch.asked for batch in batches]
    keys = {view.key.name: np.concatenate([one.entities for one in asked])}
    moments = np.concatenate([one.moments for one in asked])
    keys[TIMESTAMP] = pd.DatetimeIndex(moments, tz="UTC")
    for name in settings.features.names:
        keys[name] = np.concatenate([one.features[name] for one in asked])
    return pd.DataFrame(keys)


def compare_profile(table: pa.Table, settings: ModelSettings, run: Run, **said: Any) -> None:
    """What the printed query counts is what arrays count of the rows that would be scored."""
    said = {"dialect": "duckdb", "table": f'"{NAME}"', "now": NOW, **said}
    rows = process(as_arrays(table, settings, run, said["dialect"]).rows, settings.processing)
    try:
        features = build_features(rows, settings)
    except FeatureError:
        return
    scored = _scored(features, settings)
    aged = settings.monitoring.drift.ageing
    now = NOW.isoformat()
    ageing = {name: Ageing.model_validate({"per": per, "as_of": now}) for name, per in aged.items()}
    kinds, moments = settings.feature_dtypes, features[TIMESTAMP]
    scores = features.assign(prediction=0.5)
    reference = profile_reference(scores, kinds, ageing=ageing, moments=moments)
    bins = {name: column.bins for name, column in reference.columns.items()}
    found = run(NAME, table, Query(settings, "profile", bins=bins, **said).text()).to_pylist()
    expected = profile(scored, bins, scored[TIMESTAMP])
    assert {row["feature"] for row in found} <= {*settings.features.names}
    for name in settings.features.names:
        one = expected.columns[name]
        mine = {row["bin"]: row for row in found if row["feature"] == name}
        counted = {place: row["counted"] for place, row in mine.items()}
        points = len(bins[name].points)
        counts = {place: count for place, count in enumerate(one.counts) if count}
        assert counted == counts | ({None: one.missing} if one.missing else {})
        for place, total in enumerate(one.sums, points):
            if place in mine:
                near = 1e-12 * (abs(total) + _summed(table))
                assert abs(mine[place]["total"] - total) <= near
        lows = [row["lowest"] for row in mine.values() if row["lowest"] is not None]
        assert (min(lows, default=None) is None) == (one.low is None)
        if one.low is not None:
            assert abs(min(lows) - one.low) <= 1e-9 * bins[name].scale


def _summed(table: pa.Table) -> float:
    """The most that a sum can have been made of, where terms cancel out."""
    amounts = table["amount"].to_pylist() if "amount" in table.column_names else []
    return 1 + sum(abs(value) for value in amounts if value is not None)


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
