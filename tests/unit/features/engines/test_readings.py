"""A query reads the blocks of the YAML as the arrays do: over any table, every rule."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.cli.facts.sql import written
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.point_in_time import newest_known
from mlops_assets.engines.readings.query import Query
from mlops_assets.ml.features.point_in_time import Ids, Rows
from mlops_assets.ml.features.point_in_time import newest_known as arrays_find
from tests.support.tables.readings import (
    assert_same,
    compare_contract,
    compare_parts,
    compare_profile,
    compare_query,
    example_table,
    in_duckdb,
)
from tests.worlds.effort import worlds
from tests.worlds.typed_tables import (
    KEPT_AS,
    SUITED,
    event_logs,
    flat_tables,
    large_numbers,
    model_of,
    tables,
)

World = tuple[pa.Table, dict[str, Any]]


@worlds(20, shrink=False)
@given(world=tables(SUITED))
def test_a_contract_splits_a_table_of_any_types_as_arrays_do(world: World) -> None:
    table, contract = world
    compare_contract(table, model_of(contract), in_duckdb)


@worlds(12, shrink=False)
@given(world=tables(KEPT_AS))
def test_the_printed_query_splits_a_table_as_arrays_do(world: World) -> None:
    table, contract = world
    compare_query(table, model_of(contract), in_duckdb)


def test_a_large_number_is_never_cut_or_lost() -> None:
    table, contract = large_numbers()
    compare_query(table, model_of(contract), in_duckdb)


@pytest.mark.parametrize(
    ("name", "every"), [("customers", 7), pytest.param("flights", 40, marks=pytest.mark.thorough)]
)
def test_the_rows_of_an_example_are_split_as_in_its_graph(name: str, every: int) -> None:
    compare_query(example_table(name, every), written(name), in_duckdb)
    compare_parts(example_table(name, every), written(name), in_duckdb)


@worlds(12, shrink=False)
@given(world=event_logs())
def test_the_printed_features_of_an_event_log_are_those_of_arrays(
    world: tuple[pa.Table, ModelSettings, bool],
) -> None:
    table, settings, zoned = world
    compare_parts(table, settings, in_duckdb, zoned=zoned)


@worlds(8, shrink=False)
@given(world=flat_tables())
def test_the_printed_features_of_a_flat_table_are_those_of_arrays(
    world: tuple[pa.Table, ModelSettings],
) -> None:
    compare_parts(*world, in_duckdb)


_AT, _WHO = st.integers(0, 12), st.sampled_from(["a", "b", "ä"])
_KNOWN = st.lists(st.tuples(_WHO, _AT), max_size=12, unique=True)


def compare_newest_known(asked: pa.Table, known: pa.Table, ttl: int | None) -> None:
    """The rows that the query finds are those that the arrays find."""
    import duckdb
    import ibis

    tables = {"asked": asked, "known": known}
    bound = [ibis.table(ibis.Schema.from_pyarrow(t.schema), name=n) for n, t in tables.items()]
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        query = str(ibis.to_sql(newest_known(*bound, ttl), dialect="duckdb"))
        found = connection.sql(query).to_arrow_table().select(["whose", "asked_at", "place"])
    sides = [
        Rows(Ids.of(table[key]), table[at].to_numpy())
        for table, key, at in ((asked, "whose", "asked_at"), (known, "entity", "at"))
    ]
    places = arrays_find(*sides, ttl)
    whose, at = asked["whose"].to_pylist(), asked["asked_at"].to_pylist()
    rows = zip(whose, at, [None if p < 0 else int(p) for p in places], strict=True)
    assert_same([tuple(row.values()) for row in found.to_pylist()], set(rows))


@worlds(20)
@given(known=_KNOWN, asked=st.lists(st.tuples(_WHO, _AT), max_size=8), ttl=st.none() | _AT)
def test_what_is_found_at_a_moment_is_what_arrays_find(
    known: list[tuple[str, int]], asked: list[tuple[str, int]], ttl: int | None
) -> None:
    def table(rows: list[tuple[str, int]], who: str, at: str) -> pa.Table:
        schema = pa.schema([(who, pa.string()), (at, pa.int64())])
        return pa.table([[row[0] for row in rows], [row[1] for row in rows]], schema=schema)

    places = pa.array(range(len(known)), pa.int64())
    stored = table(known, "entity", "at").append_column("place", places)
    compare_newest_known(table(asked, "whose", "asked_at"), stored, ttl)


def test_features_are_found_for_the_moments_of_another_table() -> None:
    import duckdb

    events = example_table("customers", 7)
    at = "TIMESTAMP '1997-08-15 12:00' AS event_timestamp"
    asked = Query(written("customers"), "features", "duckdb", "sales", asked="asked").text()
    every = Query(written("customers"), "features", "duckdb", "sales").text()
    with duckdb.connect() as connection:
        connection.register("sales", events)
        connection.execute(f"CREATE TABLE asked AS SELECT DISTINCT customer_id, {at} FROM sales")
        found = connection.sql(asked).df().dropna().set_index("customer_id").sort_index()
        known = connection.sql(every).df()
    as_of = known[known["event_timestamp"] == "1997-08-01"].set_index("customer_id").sort_index()
    names = [*written("customers").features.names]
    pd.testing.assert_frame_equal(found[names], as_of[names].loc[found.index])
    assert (found["features_as_of"] == "1997-08-01").all()
    assert len(found) == len(as_of.dropna())


@worlds(8, shrink=False)
@given(world=event_logs())
def test_the_printed_profile_of_an_event_log_counts_as_arrays_do(
    world: tuple[pa.Table, ModelSettings, bool],
) -> None:
    table, settings, zoned = world
    compare_profile(table, settings, in_duckdb, zoned=zoned)


@pytest.mark.parametrize(
    ("name", "every"), [("customers", 7), pytest.param("flights", 60, marks=pytest.mark.thorough)]
)
def test_the_printed_profile_of_an_example_counts_as_arrays_do(name: str, every: int) -> None:
    compare_profile(example_table(name, every), written(name), in_duckdb)
