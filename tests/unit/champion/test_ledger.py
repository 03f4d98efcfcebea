"""The ledger: linear, append-only, and what it answers about the past."""

import resource
import shutil
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from pydantic import PrivateAttr, ValidationError

from mlops_assets.errors import LedgerError, LedgerLockedError, PromotionConflictError
from mlops_assets.records.promotion import Move, Promotion
from resources.champion.ledger import PromotionLedger, given_up, standing

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class ClockedLedger(PromotionLedger):
    """Takes its times from a list."""

    _times: Iterator[datetime] = PrivateAttr()

    def at(self, *times: datetime) -> "ClockedLedger":
        self._times = iter(times)
        return self

    def _now(self) -> datetime:
        return next(self._times)


@pytest.fixture
def ledger(tmp_path: Path) -> PromotionLedger:
    return PromotionLedger(database=str(tmp_path / "state" / "ledger.db"))


def move(version: int, why: str = "gate", model: str = "shop") -> Move:
    return Move(model=model, to_version=version, who="ada", why=why)


def fill(ledger: PromotionLedger, *versions: int) -> list[Promotion]:
    return [ledger.append(move(v), ledger.head("shop")) for v in versions]


def test_rows_come_back_as_they_were_written(ledger: PromotionLedger) -> None:
    evaluation = {"metrics": {"roc_auc": 0.8}, "gate": {"passed": True}}
    facts = {"evaluation": evaluation, "data_version": "d" * 32, "git_sha": "abc"}
    first = ledger.append(move(4).model_copy(update=facts), None)
    second = ledger.append(move(7, "manual: übernommen; '--"), first)

    assert (first.sequence, first.from_version, first.to_version) == (1, None, 4)
    assert (second.sequence, second.from_version, second.to_version) == (2, 4, 7)
    assert first.time.utcoffset() == timedelta(0)
    assert ledger.history("shop") == [first, second]
    assert ledger.head("shop") == second
    assert first.evaluation == evaluation


def test_each_model_has_its_own_rows(ledger: PromotionLedger) -> None:
    fill(ledger, 1, 2)
    other = ledger.append(move(1, model="bank"), None)
    assert (other.sequence, other.from_version) == (1, None)
    assert ledger.history("bank") == [other]
    assert ledger.head("nobody") is None
    assert ledger.history("nobody") == []


def test_a_move_decided_on_another_head_is_refused(ledger: PromotionLedger) -> None:
    (first,) = fill(ledger, 1)
    second = ledger.append(move(2), first)
    with pytest.raises(PromotionConflictError, match=r"version 3.*version 1 was.*version 2 was"):
        ledger.append(move(3), first)
    with pytest.raises(PromotionConflictError, match="there was no champion"):
        ledger.append(move(3), None)
    assert ledger.history("shop") == [first, second]


def test_the_same_version_again_is_another_head(ledger: PromotionLedger) -> None:
    first, _, _ = fill(ledger, 1, 2, 1)
    with pytest.raises(PromotionConflictError, match=r"move 1 by ada.*move 3 by ada"):
        ledger.append(move(3), first)


def test_a_move_to_the_champion_is_no_move(ledger: PromotionLedger) -> None:
    (head,) = fill(ledger, 1)
    with pytest.raises(LedgerError, match="champion already"):
        ledger.append(move(1), head)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE promotions SET who = 'eve'",
        "DELETE FROM promotions",
        "INSERT OR REPLACE INTO promotions SELECT * FROM promotions WHERE sequence = 1",
        "REPLACE INTO promotions SELECT model, 2, time, alias, 1, 9, who, why, NULL, NULL, NULL"
        " FROM promotions WHERE sequence = 2",
        "INSERT INTO promotions SELECT model, 4, time, alias, 2, 9, who, why, NULL, NULL, NULL"
        " FROM promotions WHERE sequence = 2",
        "INSERT INTO promotions SELECT model, 3, time, alias, 1, 9, who, why, NULL, NULL, NULL"
        " FROM promotions WHERE sequence = 2",
        "INSERT INTO promotions SELECT model, 3, '2000', alias, 2, 9, who, why, NULL, NULL, NULL"
        " FROM promotions WHERE sequence = 2",
    ],
    ids=["update", "delete", "replace", "replace head", "gap", "other head", "past"],
)
def test_the_database_itself_refuses_to_change_the_past(
    ledger: PromotionLedger, statement: str
) -> None:
    before = fill(ledger, 1, 2)
    with closing(sqlite3.connect(ledger.database)) as other:
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|continues"):
            other.execute(statement)
        other.rollback()
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ledger.history("shop") == before


def test_as_of_a_moment(tmp_path: Path) -> None:
    ledger = ClockedLedger(database=str(tmp_path / "ledger.db")).at(NOON, NOON + HOUR, NOON + HOUR)
    fill(ledger, 1, 2, 3)
    tick = timedelta(microseconds=1)

    def champion(time: datetime) -> int | None:
        found = ledger.as_of("shop", time)
        return found.to_version if found else None

    assert champion(NOON - tick) is None
    assert champion(NOON) == 1
    assert champion(NOON + HOUR - tick) == 1
    assert champion(NOON + HOUR) == 3, "of two at one moment the later row"
    assert champion(NOON + 1000 * HOUR) == 3
    assert champion(datetime(2026, 3, 3, 14, tzinfo=timezone(2 * HOUR))) == 1
    with pytest.raises(LedgerError, match="timezone"):
        ledger.as_of("shop", NOON.replace(tzinfo=None))


def test_a_clock_that_was_set_back_keeps_the_order(tmp_path: Path) -> None:
    ledger = ClockedLedger(database=str(tmp_path / "ledger.db")).at(NOON, NOON - HOUR)
    assert [p.time for p in fill(ledger, 1, 2)] == [NOON, NOON]


def test_as_of_uses_an_index(ledger: PromotionLedger) -> None:
    fill(ledger, 1)
    query = (
        "EXPLAIN QUERY PLAN SELECT * FROM promotions WHERE model = 'shop' AND time <= '2026' "
        "ORDER BY time DESC, sequence DESC LIMIT 1"
    )
    with closing(sqlite3.connect(ledger.database)) as connection:
        plan = [row[-1] for row in connection.execute(query)]
    assert plan == ["SEARCH promotions USING INDEX promotions_by_time (model=? AND time<?)"]


def test_another_writer_is_a_transient_error(ledger: PromotionLedger) -> None:
    fill(ledger, 1)
    impatient = PromotionLedger(database=ledger.database, timeout_seconds=0)
    with closing(sqlite3.connect(ledger.database)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerLockedError, match="locked"):
            fill(impatient, 2)
        assert [p.to_version for p in impatient.history("shop")] == [1], "reading goes on"


@contextmanager
def full_disk() -> Generator[None]:
    """No file gets a byte; sqlite says of it what it says of a disk without space."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_hinders_nobody_who_only_reads(ledger: PromotionLedger) -> None:
    with full_disk(), pytest.raises(LedgerError, match="disk I/O error"):
        ledger.head("shop")  # there is no ledger yet
    moves = fill(ledger, 1, 2)
    with full_disk():
        assert (ledger.history("shop"), ledger.head("shop")) == (moves, moves[-1])
        assert ledger.as_of("shop", moves[-1].time) == moves[-1]
        with pytest.raises(LedgerError, match="disk I/O error"):
            ledger.append(move(3), moves[-1])
    assert [p.to_version for p in fill(ledger, 3)] == [3], "nothing is left in the way"


def test_what_only_the_write_ahead_log_holds_is_not_passed_over(
    ledger: PromotionLedger, tmp_path: Path
) -> None:
    fill(ledger, 1)
    copy = tmp_path / "copy" / "ledger.db"
    copy.parent.mkdir()
    with closing(sqlite3.connect(ledger.database)) as other:
        other.execute("SELECT * FROM promotions")  # of several that have it open nobody writes back
        fill(ledger, 2)
        for end in ("", "-wal"):
            shutil.copyfile(f"{ledger.database}{end}", f"{copy}{end}")
    with full_disk(), pytest.raises(LedgerError, match="disk I/O error"):
        PromotionLedger(database=str(copy)).head("shop")


def test_a_disk_without_space_is_named(tmp_path: Path) -> None:
    class OneTable(PromotionLedger):
        tables, guards = "CREATE TABLE t (c);", {"sqlite": ""}

    file = OneTable(database=str(tmp_path / "ledger.db"), timeout_seconds=0)

    def overfill() -> None:
        with file.connection() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 2")
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(9999))")

    with pytest.raises(LedgerError, match=r"no space is left on its disk .* free some, run again"):
        overfill()


def test_a_damaged_ledger_is_named_with_the_remedy(ledger: PromotionLedger) -> None:
    fill(ledger, 1)
    damaged = r"ledger\.db is damaged: .*; restore a copy of it from a backup$"
    whole = Path(ledger.database).read_bytes()
    for content in (b"not a database, but long" * 99, whole[:4096] + b"x" * (len(whole) - 4096)):
        Path(ledger.database).write_bytes(content)
        with pytest.raises(LedgerError, match=damaged):
            ledger.head("shop")
        with pytest.raises(LedgerError, match=damaged):
            fill(ledger, 2)


def test_a_newer_layout_is_refused(ledger: PromotionLedger) -> None:
    fill(ledger, 1)
    with closing(sqlite3.connect(ledger.database)) as other:
        other.execute("PRAGMA user_version = 2")
    with pytest.raises(LedgerError, match="layout 2"):
        ledger.head("shop")


@pytest.mark.parametrize("why", ["", "because", "manual", "manual: ", "gate: x", "rollback: "])
def test_a_reason_is_one_of_three(why: str) -> None:
    with pytest.raises(ValidationError, match="why"):
        move(1, why)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([], []),
        ([(1, "gate"), (2, "gate"), (3, "gate")], [1, 2, 3]),
        ([(1, "gate"), (2, "gate"), (3, "gate"), (2, "rollback")], [1, 2]),
        ([(1, "gate"), (2, "gate"), (3, "gate"), (1, "rollback: bad")], [1]),
        ([(1, "gate"), (2, "gate"), (1, "rollback"), (3, "gate")], [1, 3]),
        ([(1, "gate"), (2, "gate"), (1, "manual: x"), (2, "rollback")], [1, 2]),
        ([(2, "gate"), (1, "rollback")], [2, 1]),
    ],
)
def test_where_rollbacks_lead(
    ledger: PromotionLedger, moves: list[tuple[int, str]], expected: list[int]
) -> None:
    for version, why in moves:
        ledger.append(move(version, why), ledger.head("shop"))
    assert standing(ledger.history("shop")) == expected


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([(1, "gate"), (2, "gate")], {}),
        ([(1, "gate"), (2, "gate"), (1, "rollback")], {2: 3}),
        ([(1, "gate"), (2, "gate"), (3, "gate"), (1, "rollback")], {2: 4, 3: 4}),
        ([(1, "gate"), (2, "gate"), (3, "gate"), (2, "rollback"), (1, "rollback")], {3: 4, 2: 5}),
        ([(1, "gate"), (2, "gate"), (1, "rollback"), (2, "manual: x")], {}),
        ([(1, "gate"), (2, "gate"), (1, "rollback"), (3, "gate")], {2: 3}),
        ([(1, "gate"), (2, "gate"), (1, "rollback"), (2, "rollback")], {1: 4}),
        ([(2, "gate"), (1, "rollback")], {2: 2}),
    ],
)
def test_what_rollbacks_gave_up(
    ledger: PromotionLedger, moves: list[tuple[int, str]], expected: dict[int, int]
) -> None:
    for version, why in moves:
        ledger.append(move(version, why), ledger.head("shop"))
    found = given_up(ledger.history("shop"))
    assert {version: rollback.sequence for version, rollback in found.items()} == expected
