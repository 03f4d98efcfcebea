"""`mlops sql`: the query of each dialect as a file to read, and what SQL cannot say.

To write a file anew, delete it and run this test.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.cli.facts.sql import bins_of, sql
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.dialects import DIALECTS
from mlops_assets.engines.readings.query import PARTS, Query
from mlops_assets.errors import ConfigError, ContractError, MlopsError
from mlops_assets.home import FRAMEWORK_ROOT
from mlops_assets.records.profile import Bins, ColumnProfile, Profile

FILES = Path(__file__).parent / "sql" / "printed"
ORDERS: dict[str, Any] = {
    "name": "orders",
    "source": {"database": "env:SHOP_DB", "table": "shop.orders"},
    "entity": {"name": "customer", "dtype": "int64"},
    "timestamp": "at",
    "contract": {
        "columns": {
            "customer": {"dtype": "int64", "from": "customer_id", "min": 1},
            "at": {"dtype": "datetime", "from": "Placed At"},
            "amount": {"dtype": "float64", "nullable": True, "max": 10_000},
            "item": {"dtype": "string", "allowed": ["it's", "back\\slash"]},
        },
        "unique": ["customer", "at"],
    },
    "features": {
        "snapshots": {"every": "1 month", "start": "2024-02-01", "end": "2024-03-01"},
        "aggregates": {
            "orders": {"agg": "count"},
            "spend_30d": {"agg": "sum", "column": "amount", "window": "30d"},
            "items": {"agg": "nunique", "column": "item", "where": {"item": ["it's"]}},
            "recency": {"agg": "days_since_last"},
        },
        "ttl": "31d",
    },
    "target": {"name": "buys", "task": "binary", "agg": "count", "window": "30d", "at_least": 1},
    "training": {
        "estimator": "sklearn.linear_model.LogisticRegression",
        "split": {"by": "time", "test": "1 month"},
    },
    "evaluation": {"primary": "roc_auc"},
    "deployment": {"port": 3000},
}


def orders(**blocks: Any) -> ModelSettings:
    return ModelSettings.model_validate({**ORDERS, **blocks})


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_part_is_this_sql(dialect: str) -> None:
    bins = {"orders": Bins(points=(0.0,), edges=(1.0, 2.5))}
    parts = [Query(orders(), part, dialect, bins=bins) for part in PARTS]
    asked = Query(orders(), "features", dialect, asked="shop.mailings")
    found = "\n".join(query.text() for query in (*parts, asked))
    path = FILES / f"{dialect}.sql"
    if not path.exists():
        path.write_text(found, encoding="utf-8")
        pytest.fail(f"{path} was not there, and is now: read it")
    assert found == path.read_text(encoding="utf-8")


def test_names_in_small_letters_are_those_of_a_warehouse_that_writes_them_large() -> None:
    query = Query(orders(), "contract", "snowflake").text()
    assert '"CUSTOMER_ID" AS "raw_0"' in query
    assert '"Placed At" AS "raw_1"' in query
    assert 'FROM "SHOP"."ORDERS"' in query
    assert '"value_0" AS "customer"' in query


def test_a_query_of_the_source_is_the_first_step() -> None:
    source = {"database": "env:SHOP_DB", "query": "select * from a join b using (id);"}
    text = Query(orders(source=source), "contract", "postgres").text()
    assert 'WITH "mlops_source" AS (\nselect * from a join b using (id)\n), ' in text


def columns(**rules: Any) -> dict[str, Any]:
    return {"contract": {"columns": {**ORDERS["contract"]["columns"], **rules}}}


LOADER, FILE = {"loader": "shop.rows.load"}, {"uri": "orders.csv"}


@pytest.mark.parametrize(
    ("blocks", "dialect", "said"),
    [
        (
            {"source": LOADER},
            "duckdb",
            r"reads the loader shop.rows.load, which no SQL does; .*--t",
        ),
        ({"source": FILE}, "duckdb", r"reads the file orders.csv, which no SQL does; .*--table"),
        (
            columns(at={"dtype": "datetime", "timezone": "Europe/Berlin"}),
            "postgres",
            r"columns.at: SQL does not read local times of Europe/Berlin, .*give the table, or a",
        ),
        (
            columns(at={"dtype": "datetime", "unit": "s"}),
            "duckdb",
            r"columns.at: SQL does not read numbers as datetime",
        ),
        (
            columns(at={"dtype": "datetime", "from": ["Day", "Time"]}),
            "duckdb",
            r"columns.at: SQL joins no texts of \['Day', 'Time'\] into a datetime",
        ),
        (
            columns(paid={"dtype": "bool", "values": {"ja": True, "nein": False}}),
            "duckdb",
            r"columns.paid: SQL does not read texts as bool",
        ),
        (columns(AMOUNT={"dtype": "float64"}), "trino", "trino takes 'amount' and 'AMOUNT' to be"),
    ],
)
def test_what_no_sql_says_is_one_sentence(blocks: dict[str, Any], dialect: str, said: str) -> None:
    with pytest.raises((ConfigError, ContractError), match=said) as raised:
        Query(orders(**blocks), "contract", dialect).text()
    assert isinstance(raised.value, MlopsError)
    assert "\n" not in str(raised.value)


def test_a_table_of_ones_own_has_the_types_of_the_contract() -> None:
    paid = {"dtype": "bool", "values": {"ja": True, "nein": False}}
    at = {"dtype": "datetime", "from": ["Day", "Time"]}
    text = Query(orders(**columns(paid=paid, at=at)), "contract", "duckdb", "loaded").text()
    assert "at datetime, " in text.splitlines()[1]
    assert 'FROM "loaded"' in text


def flat(**blocks: Any) -> ModelSettings:
    columns = {**ORDERS["contract"]["columns"], "late": {"dtype": "bool"}}
    dates = {"hour": {"column": "at", "part": "hour"}}
    return orders(
        contract={"columns": columns},
        features={"columns": ["amount"], "dates": dates, "ttl": "1d"},
        target={"name": "late", "task": "binary"},
        **blocks,
    )


def test_a_clock_is_read_where_it_is_known_which() -> None:
    assert "HOUR" in Query(flat(), "features", "postgres").text().upper()
    with pytest.raises(ConfigError, match=r"features.dates.hour: of a moment with a zone"):
        Query(flat(), "features", "postgres", zoned=True).text()


def test_a_feature_may_be_called_as_a_column_of_ours() -> None:
    import duckdb

    names = ["at", "entity", "moment", "whose", "asked_at", "known_0", "wanted_1", "mlops_place"]
    aggregates = {name: {"agg": "count"} for name in names}
    settings = orders(features={**ORDERS["features"], "aggregates": aggregates})
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop")
        at = "TIMESTAMP '2024-01-15'"
        row = f"""1 AS customer_id, {at} AS "Placed At", 2.5 AS amount, 'it''s' AS item"""
        connection.execute(f"CREATE TABLE shop.orders AS SELECT {row}")
        asked = f"SELECT 1 AS customer, {at} + INTERVAL 20 DAY AS event_timestamp"
        connection.execute(f"CREATE TABLE asked AS {asked}")
        for part, table in (("features", "asked"), ("features", None), ("training", None)):
            found = connection.sql(Query(settings, part, "duckdb", asked=table).text()).df()
            assert (found[names] == 1).all(axis=None)
            assert len(found)


def test_bins_are_those_of_a_version(tmp_path: Path) -> None:
    file = tmp_path / "reference_profile.json"
    with pytest.raises(ConfigError, match=r"^--bins .*: .*name the `reference_profile.json` of"):
        bins_of(file)
    column = ColumnProfile(bins=Bins(points=(0.0,)), counts=(1, 0), sums=(0.0,))
    file.write_text(Profile(rows=1, columns={"orders": column}).model_dump_json(), encoding="utf-8")
    assert bins_of(file) == {"orders": column.bins}
    with pytest.raises(ConfigError, match=r"no bins of the features of orders; .*--bins refer"):
        Query(orders(), "profile", "duckdb", bins={"other": column.bins}).text()
    with pytest.raises(ConfigError, match="--bins is of `profile`, which needs it"):
        sql("customers", "profile", "duckdb", "sales", None, None, zoned=False)


def test_rows_without_a_key_are_refused() -> None:
    nobody = flat(entity=None, monitoring={})
    assert Query(nobody, "contract", "duckdb").text()
    with pytest.raises(ConfigError, match="orders has no `entity`, and a table tells neither"):
        Query(nobody, "training", "duckdb").text()


def test_a_query_of_open_snapshots_says_until_when() -> None:
    features = {**ORDERS["features"], "snapshots": {"every": "1 month", "start": "2024-02-01"}}
    now = datetime(2024, 4, 15, tzinfo=UTC)
    text = Query(orders(features=features), "features", "duckdb", now=now).text()
    assert text.splitlines()[2].startswith("-- snapshots until 2024-04-15; print it again")
    assert text.count('AS "moment"') == 3
    assert "snapshots until" not in Query(orders(), "features", "duckdb").text()


def test_a_table_that_is_named_wrongly_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--table: 'a\.\"b' names no table"):
        Query(orders(), "contract", "duckdb", table='a."b').text()


def test_the_verb_prints_and_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-m", "mlops_assets", "sql", "customers", "contract"]
    done = subprocess.run(
        [*command, "--table", "sales"],
        cwd=FRAMEWORK_ROOT,
        env={**os.environ, "MLOPS_HOME": str(state)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("-- mlops sql customers contract --dialect duckdb: ")
    assert done.stdout.rstrip().endswith(";")
    assert not state.exists()
