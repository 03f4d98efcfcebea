"""A query reads the blocks of the YAML as the arrays do: over any table, every rule."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from mlops_assets.cli.facts.sql import written
from mlops_assets.config import ModelSettings
from tests.support.readings import (
    compare_contract,
    compare_parts,
    compare_query,
    example_table,
    in_duckdb,
)
from tests.worlds.effort import worlds
from tests.worlds.typed_tables import KEPT_AS, SUITED, event_logs, flat_tables, model_of, tables

World = tuple[pa.Table, dict[str, Any]]


@worlds(40, shrink=False)
@given(world=tables(SUITED))
def test_a_contract_splits_a_table_of_any_types_as_arrays_do(world: World) -> None:
    table, contract = world
    compare_contract(table, model_of(contract), in_duckdb)


@worlds(25, shrink=False)
@given(world=tables(KEPT_AS))
def test_the_printed_query_splits_a_table_as_arrays_do(world: World) -> None:
    table, contract = world
    compare_query(table, model_of(contract), in_duckdb)


@pytest.mark.parametrize(("name", "every"), [("customers", 7), ("flights", 40)])
def test_the_rows_of_an_example_are_split_as_in_its_graph(name: str, every: int) -> None:
    compare_query(example_table(name, every), written(name), in_duckdb)
    compare_parts(example_table(name, every), written(name), in_duckdb)


@worlds(25, shrink=False)
@given(world=event_logs())
def test_the_printed_features_of_an_event_log_are_those_of_arrays(
    world: tuple[pa.Table, ModelSettings, bool],
) -> None:
    table, settings, zoned = world
    compare_parts(table, settings, in_duckdb, zoned=zoned)


@worlds(25, shrink=False)
@given(world=flat_tables())
def test_the_printed_features_of_a_flat_table_are_those_of_arrays(
    world: tuple[pa.Table, ModelSettings],
) -> None:
    compare_parts(*world, in_duckdb)
