"""What `mlops sql` prints for Postgres gives there what arrays give, in any session."""

from contextlib import closing
from datetime import datetime
from typing import Any

import pandas as pd
import psycopg2
import psycopg2.extras
import pyarrow as pa
import pytest
from hypothesis import given

from mlops_assets.cli.facts.sql import written
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.query import Query
from tests.support.readings import (
    NAME,
    Run,
    compare_parts,
    compare_profile,
    compare_query,
    example_table,
    in_duckdb,
)
from tests.worlds.effort import worlds
from tests.worlds.typed_tables import (
    KEPT_AS,
    event_logs,
    flat_tables,
    large_numbers,
    model_of,
    tables,
)

pytestmark = pytest.mark.e2e
TYPES = {
    "int8": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "float": "real",
    "double": "double precision",
    "bool": "boolean",
    "string": "text",
    "date32[day]": "date",
    "timestamp[us]": "timestamp",
    "timestamp[us, tz=UTC]": "timestamptz",
}
NAMES = ["a", "A", 'say "a"', "Größe (cm)", "select", "it's", "100 %", "💡"]
"""Two differ in case alone, which Postgres tells."""


@pytest.fixture
def in_postgres(database: str) -> Run:
    def run(name: str, table: pa.Table, query: str) -> pa.Table:
        kinds = [TYPES.get(str(field.type), "numeric") for field in table.schema]
        columns = ", ".join(
            f"{_quoted(field.name)} {kind}" for field, kind in zip(table.schema, kinds, strict=True)
        )
        # A float as text, since as a number of SQL it is a numeric first, which has no -0.0.
        rows = [
            tuple(repr(value) if isinstance(value, float) else value for value in row.values())
            for row in table.to_pylist()
        ]
        with closing(psycopg2.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute("SET TIME ZONE 'America/St_Johns'")
            cursor.execute(f"CREATE TEMPORARY TABLE {_quoted(name)} ({columns})")
            insert = f"INSERT INTO {_quoted(name)} VALUES %s"
            if rows:
                psycopg2.extras.execute_values(cursor, insert, rows)
            cursor.execute(query)
            names = [column.name for column in cursor.description or ()]
            found = cursor.fetchall()
        values = zip(*found, strict=True) if found else [[] for _ in names]
        return pa.table(dict(zip(names, map(list, values), strict=True)))

    return run


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


@worlds(3, shrink=False)
@given(world=tables(KEPT_AS, NAMES))
def test_the_printed_contract_splits_a_table_as_arrays_do(
    in_postgres: Run, world: tuple[pa.Table, dict[str, Any]]
) -> None:
    table, contract = world
    compare_query(table, model_of(contract), in_postgres, dialect="postgres")


def test_a_large_number_is_never_cut_or_lost(in_postgres: Run) -> None:
    table, contract = large_numbers()
    compare_query(table, model_of(contract), in_postgres, dialect="postgres")


@pytest.mark.parametrize(("name", "every"), [("customers", 40), ("flights", 400)])
def test_the_rows_of_an_example_are_split_as_in_its_graph(
    in_postgres: Run, name: str, every: int
) -> None:
    compare_query(example_table(name, every), written(name), in_postgres, dialect="postgres")
    compare_parts(example_table(name, every), written(name), in_postgres, dialect="postgres")


@worlds(3, shrink=False)
@given(world=event_logs(without="a\0"))
def test_the_printed_features_of_an_event_log_are_those_of_arrays(
    in_postgres: Run, world: tuple[pa.Table, ModelSettings, bool]
) -> None:
    table, settings, zoned = world
    compare_parts(table, settings, in_postgres, dialect="postgres", zoned=zoned)


@worlds(3, shrink=False)
@given(world=flat_tables())
def test_the_printed_features_of_a_flat_table_are_those_of_arrays(
    in_postgres: Run, world: tuple[pa.Table, ModelSettings]
) -> None:
    compare_parts(*world, in_postgres, dialect="postgres")


def test_the_printed_profile_of_an_example_counts_as_arrays_do(in_postgres: Run) -> None:
    table = example_table("customers", 40)
    compare_profile(table, written("customers"), in_postgres, dialect="postgres")


def test_features_at_the_moments_of_another_table_are_those_of_duckdb(in_postgres: Run) -> None:
    table = example_table("customers", 40)
    moments = pa.array([datetime(1997, 8, 15, 12)] * len(table), pa.timestamp("us"))  # noqa: DTZ001
    table = table.append_column("event_timestamp", moments)
    frames = []
    for run, dialect in ((in_duckdb, "duckdb"), (in_postgres, "postgres")):
        asked = Query(written("customers"), "features", dialect, f'"{NAME}"', asked=f'"{NAME}"')
        found = run(NAME, table, asked.text()).to_pandas()
        frames.append(found.dropna(subset="features_as_of").set_index("customer_id").sort_index())
    mine, other = (frame.astype("float64", errors="ignore") for frame in frames)
    assert len(mine) > 50
    pd.testing.assert_frame_equal(mine, other, rtol=1e-12, check_dtype=False)
