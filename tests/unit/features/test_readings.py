"""A query reads the blocks of the YAML as the arrays do: over any table, every rule."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from mlops_assets.cli.facts.sql import written
from tests.support.readings import (
    KEPT_AS,
    SUITED,
    compare_contract,
    compare_query,
    example_table,
    in_duckdb,
    model_of,
    tables,
)
from tests.worlds.effort import worlds

World = tuple[pa.Table, dict[str, Any]]


@worlds(60, shrink=False)
@given(world=tables(SUITED))
def test_a_contract_splits_a_table_of_any_types_as_arrays_do(world: World) -> None:
    table, contract = world
    compare_contract(table, model_of(contract), in_duckdb)


@worlds(40, shrink=False)
@given(world=tables(KEPT_AS))
def test_the_printed_query_splits_a_table_as_arrays_do(world: World) -> None:
    table, contract = world
    compare_query(table, model_of(contract), in_duckdb)


@pytest.mark.parametrize(("name", "every"), [("customers", 7), ("flights", 40)])
def test_the_rows_of_an_example_are_split_as_in_its_graph(name: str, every: int) -> None:
    compare_query(example_table(name, every), written(name), in_duckdb)
