"""What `mlops sql` prints for Postgres gives there what arrays give, in any session."""

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg2
import psycopg2.extras
import pyarrow as pa
import pytest
import yaml
from hypothesis import given

from mlops_assets.cli.facts.sql import written
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.query import Query
from mlops_assets.ml.data.delivered import checked, checked_rows
from mlops_assets.ml.data.processing import process
from mlops_assets.ml.features.build import build_features
from mlops_assets.ml.features.labelled import with_targets
from resources.databases.rows import deliver
from tests.support.services.postgres_server import PostgresServer
from tests.support.tables.readings import (
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
    NOW,
    WHICH,
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


FLAT = """
source: {database: "env:SHOP_DB", table: sales_training}
timestamp: event_timestamp
contract:
  columns:
    customer_id: {dtype: int64}
    event_timestamp: {dtype: datetime}
    buys_again: {dtype: float64, nullable: true}
    total_purchases: {dtype: float64}
    total_spend: {dtype: float64}
    avg_purchase_value: {dtype: float64, nullable: true}
    purchases_30d: {dtype: float64}
    purchases_90d: {dtype: float64}
    spend_90d: {dtype: float64}
    recency_days: {dtype: float64}
    tenure_days: {dtype: float64}
processing: {}
features:
  columns: [total_purchases, total_spend, avg_purchase_value, purchases_30d, purchases_90d,
            spend_90d, recency_days, tenure_days]
  ttl: 31d
  clock: data
target: {name: buys_again, task: binary, missing: unlabelled}
"""
"""What docs/how-to/warehouse.md says of a view of the printed training rows."""


def test_a_view_of_the_training_rows_is_read_in_place_by_who_may_only_read_it(
    postgres: PostgresServer, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, table = written("customers"), example_table("customers", 20).drop_columns(WHICH)
    with closing(psycopg2.connect(database)) as connection, connection, connection.cursor() as at:
        kinds = ", ".join(f"{one.name} {TYPES[str(one.type)]}" for one in table.schema)
        at.execute(f"CREATE TABLE sales ({kinds})")
        rows = [tuple(row.values()) for row in table.to_pylist()]
        psycopg2.extras.execute_values(at, "INSERT INTO sales VALUES %s", rows)
        at.execute(
            f"CREATE VIEW sales_training AS {Query(events, 'training', 'postgres', 'sales').text()}"
        )
        at.execute("CREATE USER reader PASSWORD 'r'; GRANT SELECT ON sales_training TO reader")
    name = database.rpartition("/")[2]
    monkeypatch.setenv("SHOP_DB", f"postgresql://reader:r@127.0.0.1:{postgres.port}/{name}")
    model = events.model_dump(mode="json", exclude_unset=True) | yaml.safe_load(FLAT)
    flat = ModelSettings.model_validate(model)

    def training(settings: ModelSettings, rows: pd.DataFrame) -> pd.DataFrame:
        cleaned = process(rows, settings.processing)
        frame = with_targets(build_features(cleaned, settings), cleaned, settings, NOW)
        return frame.sort_values(["event_timestamp", "customer_id"], ignore_index=True)

    deliver(flat.source, flat.contract, tmp_path / "rows.parquet")
    there = training(flat, checked_rows([tmp_path / "rows.parquet"], flat, NOW).rows)
    here = training(events, checked(table.to_pandas(), events, NOW).rows)
    assert len(there) > 3_000
    pd.testing.assert_frame_equal(there, here[list(there.columns)], rtol=1e-12, atol=0)
