"""Tables and queries of a Postgres as a source: each type, any setting, and a server that ends."""

import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mlops_assets.blocks.data import ContractSettings, SourceSettings
from mlops_assets.errors import SourceError, SourceUnavailableError
from mlops_assets.ml.data.formats.rows import BATCH
from resources.databases.rows import deliver, fingerprint, require_rows
from tests.support.services.postgres_server import PASSWORD, QUOTED, PostgresServer

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture
def shop(postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs statements in the database that SHOP_DB names."""
    monkeypatch.setenv("SHOP_DB", database)
    return lambda statement: postgres.execute(statement, database)


def source(**said: Any) -> SourceSettings:
    return SourceSettings.model_validate({"database": "env:SHOP_DB", **said})


def contract(*columns: str, **said: Any) -> ContractSettings:
    rules = {f"c{at}": {"dtype": "string", "from": name} for at, name in enumerate(columns)}
    return ContractSettings.model_validate({"columns": rules, "extra_columns": "drop", **said})


def read(asked: SourceSettings, rules: ContractSettings, folder: Path) -> list[dict[str, Any]]:
    deliver(asked, rules, folder / "rows.parquet")
    return pq.read_table(folder / "rows.parquet").to_pylist()


EXACT = {
    "9223372036854775807::bigint": 2**63 - 1,
    "(-32768)::smallint": -(2**15),
    "12345678901234567890.123456789::numeric": Decimal("12345678901234567890.123456789"),
    "1.10::numeric(10,2)": Decimal("1.10"),
    "0.1::real": 0.1,
    "1.7976931348623157e308::float8": 1.7976931348623157e308,
    "0.30000000000000004::float8": 0.30000000000000004,
    "'-infinity'::float8": float("-inf"),
    "true": True,
    "'Größe 普通'::text": "Größe 普通",
    "'ab'::char(5)": "ab   ",
    "''::varchar": "",
    "date '0044-03-15'": date(44, 3, 15),
    "timestamp '2024-03-31 02:30:00.000001'": datetime.fromisoformat("2024-03-31T02:30:00.000001"),
    "timestamptz '2024-03-31 02:30+09:00'": datetime(2024, 3, 30, 17, 30, tzinfo=UTC),
    "time '10:00:00.5'": "10:00:00.500000",
    "timetz '10:00+02'": "10:00:00+02:00",
    "'6f1c2a52-0000-4000-8000-000000000000'::uuid": "6f1c2a52-0000-4000-8000-000000000000",
    "'sad'::mood": "sad",
    "'{\"a\": 1}'::jsonb::text": '{"a": 1}',
    "null::int": None,
}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/St_Johns"])
def test_every_value_is_exact_whatever_a_session_is_set_to(
    shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    monkeypatch.setenv("PGTZ", zone)
    shop("create type mood as enum ('sad', 'ok')")
    for setting in (f"timezone to '{zone}'", "extra_float_digits to -5", "datestyle to 'SQL, DMY'"):
        shop(f"alter role ada set {setting}")
    try:
        names = [f"c{at}" for at in range(len(EXACT))]
        values = ", ".join(f"{said} as {name}" for said, name in zip(EXACT, names, strict=True))
        shop(f"create table every as select {values}")
        asked = [source(table="every"), source(query="select * from every")]
        for one in asked:
            (row,) = read(one, contract(*names), tmp_path)
            assert dict(zip(EXACT, row.values(), strict=True)) == EXACT
    finally:
        shop("alter role ada reset all")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("interval '1 month'", "kind timedelta"),
        ("'{1,2}'::int[]", "kind list"),
        ("'{\"a\": 1}'::jsonb", "kind dict"),
        ("'x'::bytea", "kind memoryview"),
        ("int4range(1, 2)", "kind NumericRange"),
        ("'NaN'::numeric", "no finite number"),
        ("1e100::numeric", "cannot be kept without loss"),
        ("date '0044-03-15 BC'", "has a value that cannot be read: year"),
        ("1 / (select 0)", "refuses: division by zero"),
    ],
)
def test_what_no_column_can_hold_is_refused(
    shop: Any, tmp_path: Path, value: str, said: str
) -> None:
    with pytest.raises(SourceError, match=said) as raised:
        read(source(query=f"select 1 as id, {value} as v"), contract("id", "v"), tmp_path)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "rows.parquet").exists()


def test_names_are_quoted_and_rows_in_an_order_of_their_own(shop: Any, tmp_path: Path) -> None:
    shop('create schema "My Shop"')
    shop('create table "My Shop"."Orders.2024" ("Order" int, "a%b" text, ":x" int)')
    shop("""insert into "My Shop"."Orders.2024" values (2, '%s', 1), (1, 'b', 2), (1, 'a', 3)""")
    rules = contract("a%b", "Order", ":x", unique=["c1"])
    table = source(table='My Shop."Orders.2024"')
    found = read(table, rules, tmp_path)
    assert [tuple(row.values()) for row in found] == [("a", 1, 3), ("b", 1, 2), ("%s", 2, 1)]
    first = (tmp_path / "rows.parquet").read_bytes()
    shop("""update "My Shop"."Orders.2024" set ":x" = ":x" where "a%b" = 'a'""")  # now it is last
    read(table, rules, tmp_path)
    assert (tmp_path / "rows.parquet").read_bytes() == first
    shop('create materialized view seen as select * from "My Shop"."Orders.2024"')
    assert len(read(source(table="seen"), rules, tmp_path)) == 3


def test_no_statement_writes(shop: Any, tmp_path: Path) -> None:
    shop("create table orders (id int)")
    body = "'insert into orders values (1) returning id'"
    shop(f"create function f() returns int language sql as {body}")
    for query in ("select f() as id", "with a as (insert into orders values (1)) select 1 as id"):
        with pytest.raises(
            SourceError, match=r"refuses: .*; correct the address or `source.query`"
        ):
            read(source(query=query), contract("id"), tmp_path)
    assert shop("select count(*) from orders") == [(0,)]


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_what_ends_the_transaction_can_write_nothing_either(
    shop: Any, tmp_path: Path, end: str
) -> None:
    shop("create table orders (id int)")
    shop("grant insert on orders to ada")
    smuggled = f"select 1 as id; {end}; insert into orders values (8)"
    with pytest.raises(SourceError, match="multi-query"):
        read(source(query=smuggled), contract("id"), tmp_path)
    with pytest.raises(SourceError, match="multi-query"):
        fingerprint(source(table="orders", watch=[smuggled]))
    one = "select 1 as id, '; commit; $$ %s' as said; -- insert"
    assert read(source(query=one), contract("id", "said"), tmp_path)
    assert shop("select count(*) from orders") == [(0,)]


def test_a_column_without_an_order_is_to_be_cast(shop: Any, tmp_path: Path) -> None:
    shop("create table notes as select 1 as id, '{}'::json as payload")
    with pytest.raises(SourceError, match=r"type json.*cast that column in a `source.query`"):
        read(source(table="notes"), contract("id", "payload"), tmp_path)


def test_all_is_of_one_moment(shop: Any, tmp_path: Path) -> None:
    """A row that comes between two statements of a reading is in none of them."""
    shop("create table orders as select i as id from generate_series(1, 100) i")
    watched = source(
        table="orders", watch=["select max(id), count(*), pg_sleep(1)::text from orders"]
    )
    writer = threading.Timer(0.5, shop, ["insert into orders values (101)"])
    writer.start()
    known = deliver(watched, contract("id"), tmp_path / "rows.parquet")
    writer.join()
    assert pq.read_metadata(tmp_path / "rows.parquet").num_rows == 100
    assert fingerprint(watched) != known, "the new row is new"


def test_many_rows_come_in_batches(postgres: PostgresServer, shop: Any, tmp_path: Path) -> None:
    shop("alter role ada set log_statement to 'all'")
    try:
        rows = 18 * BATCH + 1
        query = f"select i::text || repeat('x', 20) as id from generate_series(1, {rows}) i"
        asked = source(query=query)
        deliver(asked, contract("id"), tmp_path / "rows.parquet")
        assert pq.read_metadata(tmp_path / "rows.parquet").num_rows == rows
        log = (postgres.folder / "log").read_text(encoding="utf-8").splitlines()
        declared = next(at for at, line in enumerate(log) if query in line)
        fetched = [line for line in log[declared:] if f"FETCH FORWARD {BATCH}" in line]
        assert len(fetched) >= 19
        assert not [line for line in log[declared:] if "FETCH ALL" in line]
    finally:
        shop("alter role ada reset all")


def test_who_may_not_read_is_told(
    postgres: PostgresServer, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop("create table orders (id int)")
    shop(f"create role guest login password '{PASSWORD}'")
    guest = str(postgres.address()).replace("ada:", "guest:")
    name = shop("select current_database()")[0][0]
    address = guest.replace("/postgres", f"/{name}")
    for named, table, said in [
        (address, "orders", "refuses: permission denied for table orders"),
        (address, "order", "has no table order; did you mean 'orders'?"),
        (guest.replace("/postgres", "/nope"), "orders", 'database "nope" does not exist'),
        (address.replace(QUOTED, "wrong"), "orders", "password authentication failed"),
    ]:
        monkeypatch.setenv("SHOP_DB", named)
        with pytest.raises(SourceError, match=said) as raised:
            require_rows(source(table=table), contract("id"))
        assert not isinstance(raised.value, SourceUnavailableError)
        assert not any(word in str(raised.value) for word in (PASSWORD, QUOTED, "wrong"))


def test_a_server_that_ends_in_the_middle_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = PostgresServer.made()
    try:
        monkeypatch.setenv("SHOP_DB", server.address())
        query = "select i as id, pg_sleep(case when i = 20000 then 60 else 0 end)::text as x from "
        asked = source(query=f"{query} generate_series(1, 40000) i")
        killer = threading.Timer(1.5, server.kill)
        killer.start()
        with pytest.raises(SourceUnavailableError, match=r"does not answer: .*; start it"):
            read(asked, contract("id"), tmp_path)
        killer.join()
        assert not list(tmp_path.iterdir())
        with pytest.raises(SourceUnavailableError, match="Connection refused"):
            read(asked, contract("id"), tmp_path)
        server.start()
        assert read(source(query="select 1 as id"), contract("id"), tmp_path) == [{"id": 1}]
    finally:
        server.end()
