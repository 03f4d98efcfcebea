"""Tables and queries of a database as a source: a file of sqlite, as any other would be asked."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from sqlalchemy import event  # noqa: TID253
from sqlalchemy.engine import Engine  # noqa: TID253

from mlops_assets.blocks.data import ContractSettings, SourceSettings
from mlops_assets.blocks.sources.database import table_parts
from mlops_assets.errors import SourceError, SourceUnavailableError
from mlops_assets.ml.data.formats.rows import BATCH
from resources.databases.rows import deliver, fingerprint, require_rows, sample
from resources.databases.source import require_usable

PASSWORD = "s3cret/p@ss"
QUOTED = "s3cret%2Fp%40ss"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database that is known by the variable SHOP_DB."""
    file = tmp_path / "shop #1.db"
    monkeypatch.setenv("SHOP_DB", f"sqlite:///{file}")
    change(file, "create table orders (id integer, amount real, note text)")
    change(file, "insert into orders values (2, 0.1, 'b'), (1, null, 'it''s 5 % :x'), (3, 7, '')")
    return file


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def source(**said: Any) -> SourceSettings:
    return SourceSettings.model_validate({"database": "env:SHOP_DB", **said})


def contract(*columns: str, **said: Any) -> ContractSettings:
    """Whatever their types: those are checked later."""
    rules = {f"c{at}": {"dtype": "string", "from": name} for at, name in enumerate(columns)}
    return ContractSettings.model_validate({"columns": rules, **said})


ORDERS = contract("id", "amount", "note")


def rows(asked: SourceSettings, rules: ContractSettings, folder: Path) -> list[dict[str, Any]]:
    deliver(asked, rules, folder / "rows.parquet")
    return pq.read_table(folder / "rows.parquet").to_pylist()


def test_a_table_is_in_an_order_of_its_own(shop: Path, tmp_path: Path) -> None:
    found = rows(source(table="orders"), ORDERS, tmp_path)
    assert found == [
        {"id": 1, "amount": None, "note": "it's 5 % :x"},
        {"id": 2, "amount": 0.1, "note": "b"},
        {"id": 3, "amount": 7.0, "note": ""},
    ]
    first = (tmp_path / "rows.parquet").read_bytes()
    change(shop, "create table again as select * from orders order by id desc")
    change(shop, "drop table orders")
    change(shop, "alter table again rename to orders")
    rows(source(table="orders"), ORDERS, tmp_path)
    assert (tmp_path / "rows.parquet").read_bytes() == first


def test_what_is_unique_orders_a_table_first(shop: Path, tmp_path: Path) -> None:
    by_note = contract("id", "note", extra_columns="drop", unique=["c1"])
    assert [row["id"] for row in rows(source(table="orders"), by_note, tmp_path)] == [3, 2, 1]


def test_a_query_is_taken_as_it_stands(shop: Path, tmp_path: Path) -> None:
    asked = source(query="-- the newest\nselect note, id, 1 % 2 as odd from orders where note "
                   "like '%' and ':x' = ':x' order by id desc;")  # fmt: skip
    found = rows(asked, contract("id", "note", extra_columns="drop"), tmp_path)
    assert found[-1] == {"id": 1, "note": "it's 5 % :x"}
    assert [row["id"] for row in found] == [3, 2, 1]


@pytest.mark.parametrize(
    "name", ["Order", "select", "Größe (cm)", "a%b", ":x", 'say "x"', "a.b", "a b", "普通", "%s"]
)
def test_names_are_quoted(shop: Path, tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    change(shop, f'create table "Tab %s" ({quoted} integer, other integer)')
    change(shop, 'insert into "Tab %s" values (7, 8)')
    rules = contract(name, extra_columns="drop", unique=["c0"])
    assert rows(source(table="Tab %s"), rules, tmp_path) == [{name: 7}]
    assert rows(source(query='select * from "Tab %s"'), rules, tmp_path) == [{name: 7}]


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("orders", (None, "orders")),
        ("shop.orders", ("shop", "orders")),
        ('shop."orders.2024"', ("shop", "orders.2024")),
        ('"a.b"', (None, "a.b")),
        ("lake.shop.orders", ("lake.shop", "orders")),
        ("Große Tabelle", (None, "Große Tabelle")),
    ],
)
def test_a_table_may_have_a_schema(written: str, parts: tuple[str | None, str]) -> None:
    assert table_parts(written) == parts


@pytest.mark.parametrize(
    ("asked", "rules", "said"),
    [
        ({"table": "ordres"}, ORDERS, "has no table ordres; did you mean 'orders'?"),
        ({"table": "x.orders"}, ORDERS, "x"),
        ({"table": "orders"}, contract("id", "amount", "notes"), "renamed to 'note'"),
        ({"table": "orders"}, contract("id"), r"\['amount', 'note'\] are not in the contract"),
        ({"query": "select * from nope"}, ORDERS, "refuses: no such table: nope; correct"),
        ({"query": "select id from orders"}, ORDERS, r"\['amount', 'note'\] are missing"),
        ({"query": "select id, id from orders"}, contract("id"), "occur more than once"),
        ({"query": "select 1 as id where 1 = 0"}, contract("id"), "the query of .* has no row"),
        ({"query": "select x'00' as id"}, contract("id"), "kind bytes; cast it"),
        ({"query": "with a as (select 1) delete from orders"}, contract("id"), "readonly"),
        ({"query": "select cast(x'ff' as text) as id"}, contract("id"), "UTF-8"),
        (
            {"query": "select 1 as id union all select abs(-9223372036854775807 - 1)"},
            contract("id"),
            "integer overflow",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_one_sentence_and_nothing_is_written(
    shop: Path, tmp_path: Path, asked: dict[str, str], rules: ContractSettings, said: str
) -> None:
    with pytest.raises(SourceError, match=said) as raised:
        rows(source(**asked), rules, tmp_path)
    assert "\n" not in str(raised.value)
    assert not isinstance(raised.value, SourceUnavailableError)
    assert not (tmp_path / "rows.parquet").exists()
    with closing(sqlite3.connect(shop)) as connection:
        assert connection.execute("select count(*) from orders").fetchone() == (3,)


def test_a_table_without_rows_is_refused(shop: Path, tmp_path: Path) -> None:
    change(shop, "delete from orders")
    with pytest.raises(SourceError, match="table orders of the database env:SHOP_DB has no row"):
        rows(source(table="orders"), ORDERS, tmp_path)


def test_a_database_that_somebody_holds_may_be_asked_again(shop: Path, tmp_path: Path) -> None:
    brief = SourceSettings(database=f"sqlite:///{shop}?timeout=0", table="orders")
    with closing(sqlite3.connect(shop)) as connection:
        connection.execute("begin exclusive")
        with pytest.raises(SourceUnavailableError, match="does not answer: database is locked"):
            rows(brief, ORDERS, tmp_path)
    assert len(rows(brief, ORDERS, tmp_path)) == 3


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (None, "the variable SHOP_DB is not set; set it"),
        ("", "the variable SHOP_DB is not set; set it"),
        (f"postgresql://ada:{PASSWORD}@host:port/shop", "has no address; write postgresql://"),
        (f"ada:{PASSWORD}", "has no address; write postgresql://"),
        (f"postgresql://ada:{PASSWORD}@host/shop", "has no address; write postgresql://"),
        (f"postgresql://ada:raw@{PASSWORD}@host/shop", "has no address; write postgresql://"),
        ("sqlite:////no/such/file.db", "/no/such/file.db: there is no such file"),
        ("sqlite://", "there is no such file"),
        (f"nosuch://ada:{QUOTED}@host/shop", "needs nosuch, which is not installed; pip install"),
        (f"snowflake://ada:{QUOTED}@host/s", "pip install snowflake-sqlalchemy"),
        (f"mysql://ada:{QUOTED}@host/shop", "needs MySQLdb.* pip install mysqlclient"),
        (f"postgresql+asyncpg://ada:{QUOTED}@host/s", "needs asyncpg.* pip install asyncpg"),
    ],
)
def test_an_address_that_cannot_be_used_says_so_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str | None, said: str
) -> None:
    monkeypatch.delenv("SHOP_DB", raising=False)
    if address is not None:
        monkeypatch.setenv("SHOP_DB", address)
    for ask in (require_usable, lambda one: rows(one, ORDERS, tmp_path)):
        with pytest.raises(SourceError, match=said) as raised:
            ask(source(table="orders"))
        assert "ss@" not in str(raised.value)
        assert "s3cret" not in str(raised.value)


def test_a_server_that_is_away_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHOP_DB", "postgres://ada:s3cret@127.0.0.1:9/shop")
    with pytest.raises(SourceUnavailableError, match="env:SHOP_DB does not answer") as raised:
        rows(source(table="orders"), ORDERS, tmp_path)
    assert "s3cret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"database": "env:A"}, "exactly one of `table` and `query`"),
        ({"database": "env:A", "table": "a", "query": "select 1"}, "exactly one of `table`"),
        ({"uri": "a.csv", "table": "a"}, "are of a `database`"),
        ({"uri": "a.csv", "database": "env:A", "table": "a"}, "exactly one of `uri`, `loader`"),
        ({"database": "WAREHOUSE", "table": "a"}, "write e.g. env:SHOP_DB"),
        ({"database": "env:", "table": "a"}, "write e.g. env:SHOP_DB"),
        ({"database": "postgresql://a:s3cret@h/d", "table": "a"}, "write env:SHOP_DB"),
        ({"database": "mssql://h/d?password=s3cret", "table": "a"}, "write env:SHOP_DB"),
        ({"database": "env:A", "query": "delete from a"}, "is no query; begin it with `select`"),
        ({"database": "env:A", "table": "a", "watch": ["vacuum"]}, "is no query"),
        ({"database": "env:A", "table": "a."}, "names no table"),
        ({"database": "env:A", "table": ""}, "names no table"),
        ({"database": "env:A", "table": "a", "encoding": "cp1252"}, "`encoding` is of"),
        ({"database": "env:A", "table": "a", "skip_rows": 1}, "`skip_rows` is of"),
        ({"database": "env:A", "table": "a", "partitions": ["year"]}, "`partitions` are of files"),
    ],
    ids=str,
)
def test_a_faulty_block_is_named(said: Mapping[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault) as raised:
        SourceSettings.model_validate(said)
    errors = raised.value.errors(include_input=False, include_url=False)
    assert "s3cret" not in str([error["msg"] for error in errors])


def test_a_user_alone_is_no_secret() -> None:
    assert SourceSettings(database="postgresql://ada@h/d", table="a").database


def test_the_fingerprint_is_what_watch_answers(shop: Path, tmp_path: Path) -> None:
    watched = source(table="orders", watch=["select max(id), count(*) from orders"])
    known = fingerprint(watched)
    assert known == deliver(watched, ORDERS, tmp_path / "rows.parquet") == fingerprint(watched)
    change(shop, "update orders set note = 'other'")
    assert fingerprint(watched) == known, "the query does not look at notes"
    change(shop, "insert into orders values (9, 9, 'c')")
    assert fingerprint(watched) != known
    assert fingerprint(source(table="orders")) is None
    for query, said in (("id", "several rows"), ("id from orders where id = 77 --", "no row")):
        with pytest.raises(SourceError, match=said):
            fingerprint(source(table="orders", watch=[f"select {query} from orders"]))


def test_a_look_says_what_is_wrong_and_reads_no_row(shop: Path) -> None:
    require_rows(source(table="orders"), ORDERS)
    with pytest.raises(SourceError, match="are missing"):
        require_rows(source(table="orders"), contract("nope"))
    with pytest.raises(SourceError, match="no such table"):
        require_rows(source(table="orders", watch=["select 1 from nope"]), ORDERS)


def test_a_sample_is_bounded(shop: Path, tmp_path: Path) -> None:
    count = (
        "with recursive n(i) as (select 1 union all select i + 1 from n limit {}) select i from n"
    )
    for there in (5, 10, 11, BATCH):
        file = tmp_path / "sample.parquet"
        assert sample(source(query=count.format(there)), 10, file) is (there < 10)
        assert pq.read_table(file).num_rows == min(there, 10)


def test_no_more_than_a_batch_of_rows_is_held(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    held: list[int] = []

    def tick(number: int) -> int:
        if number % 256 == 0:
            held.append(number - BATCH * len(list(tmp_path.glob("rows-*/*.arrow"))))
        return number

    def known(connection: sqlite3.Connection, _: object) -> None:
        connection.create_function("tick", 1, tick)

    event.listen(Engine, "connect", known)
    try:
        many = 3 * BATCH + 1
        query = (
            f"with recursive n(i) as (select 1 union all select i + 1 from n limit {many}) "
            "select tick(i) as id from n"
        )
        found = rows(source(query=query), contract("id"), tmp_path)
    finally:
        event.remove(Engine, "connect", known)
    assert [row["id"] for row in found] == list(range(1, many + 1))
    assert max(held) <= BATCH
    assert len(held) == many // 256, "asked once"
