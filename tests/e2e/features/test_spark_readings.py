"""What `mlops sql` prints for Databricks gives on a Spark what arrays give.

Databricks itself is asked by nobody here; its dialect is Spark's own, and Spark 4 is real.
"""

import os
import sys
from collections.abc import Generator
from typing import Any

import psutil
import pyarrow as pa
import pytest
from hypothesis import given

from mlops_assets.cli.facts.sql import written
from mlops_assets.config import ModelSettings
from tests.support.services.spark_cluster import PACKAGES, install_pyspark
from tests.support.tables.readings import (
    Run,
    compare_parts,
    compare_profile,
    compare_query,
    example_table,
)
from tests.worlds.effort import worlds
from tests.worlds.typed_tables import (
    KEPT_AS,
    WHICH,
    event_logs,
    flat_tables,
    large_numbers,
    model_of,
    tables,
)

# In the gate tests/unit/features/engines/test_printed_sql.py holds what is printed to the letter.
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.thorough,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # py4j's
]
SOME_ROWS = {"customers": 400, "flights": 4000}
"""One in so many rows of an example."""
CONF = {
    "spark.master": "local[1]",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.session.timeZone": "UTC",  # as the page asks of who keeps datetimes without a zone
}


@pytest.fixture(scope="module")
def in_spark() -> Generator[Run]:
    """A session of this process, which has it for itself."""
    install_pyspark()
    sys.path.append(str(PACKAGES))
    before = dict(os.environ)
    from pyspark.sql import SparkSession

    session = SparkSession.builder.config(map=CONF).getOrCreate()

    def run(name: str, table: pa.Table, query: str) -> pa.Table:
        session.createDataFrame(table).createOrReplaceTempView(f"`{name}`")
        return session.sql(query).toArrow()

    yield run
    session.stop()
    for child in psutil.Process().children():
        if child.name() == "java":
            child.terminate()
            child.wait(30)
    sys.path.remove(str(PACKAGES))
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


@worlds(2, shrink=False)
@given(world=tables(KEPT_AS))
def test_the_printed_contract_splits_a_table_as_arrays_do(
    in_spark: Run, world: tuple[pa.Table, dict[str, Any]]
) -> None:
    table, contract = world
    compare_query(table, model_of(contract), in_spark, dialect="databricks")


def test_an_infinite_number_is_in_quarantine(in_spark: Run) -> None:
    """Ibis's own test of it is false there, whatever the number."""
    values = pa.array([1.5, float("inf"), -float("inf"), float("nan"), None], pa.float64())
    table = pa.table({"x": values, WHICH: pa.array(range(len(values)), pa.int64())})
    contract = {"columns": {"x": {"dtype": "float64", "nullable": True}}, "extra_columns": "drop"}
    compare_query(table, model_of(contract), in_spark, dialect="databricks")


def test_a_large_number_is_never_cut_or_lost(in_spark: Run) -> None:
    table, contract = large_numbers()
    compare_query(table, model_of(contract), in_spark, dialect="databricks")


@pytest.mark.parametrize("name", SOME_ROWS)
def test_the_rows_of_an_example_are_split_as_in_its_graph(in_spark: Run, name: str) -> None:
    table = example_table(name, SOME_ROWS[name])
    compare_query(table, written(name), in_spark, dialect="databricks")
    compare_parts(table, written(name), in_spark, dialect="databricks")


@worlds(2, shrink=False)
@given(world=event_logs(without="a\0"))
def test_the_printed_features_of_an_event_log_are_those_of_arrays(
    in_spark: Run, world: tuple[pa.Table, ModelSettings, bool]
) -> None:
    table, settings, zoned = world
    compare_parts(table, settings, in_spark, zoned=zoned, dialect="databricks")


@worlds(2, shrink=False)
@given(world=flat_tables())
def test_the_printed_features_of_a_flat_table_are_those_of_arrays(
    in_spark: Run, world: tuple[pa.Table, ModelSettings]
) -> None:
    compare_parts(*world, in_spark, dialect="databricks")


def test_the_printed_profile_of_an_example_counts_as_arrays_do(in_spark: Run) -> None:
    compare_profile(
        example_table("customers", 40), written("customers"), in_spark, dialect="databricks"
    )
