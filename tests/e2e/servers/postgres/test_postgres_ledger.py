"""Ledger and decisions in a Postgres: between machines one wins, and nobody changes the past."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
import pytest

from mlops_assets.errors import (
    ConfigError,
    DecisionStoreBusyError,
    LedgerError,
    LedgerLockedError,
    PromotionConflictError,
)
from mlops_assets.ml.retraining.policy import decide
from mlops_assets.records.promotion import Move
from mlops_assets.records.retraining import Outcome, Pause
from resources.champion.ledger import PromotionLedger
from resources.decisions import DecisionStore
from tests.support.retraining.reports import DAY, POLICY, START, feed, performance
from tests.support.servers import ROOT, free_port
from tests.support.services.ledger_racers import MODEL
from tests.support.services.postgres_server import PASSWORD, QUOTED, PostgresServer
from tests.worlds.effort import EXAMPLES

pytestmark = pytest.mark.e2e

RACES = EXAMPLES or 25
MACHINES = 4
RACER = [sys.executable, "-W", "ignore", "-m", "tests.support.services.ledger_racers"]


def move(version: int) -> Move:
    return Move(model=MODEL, to_version=version, who="ada", why="gate", evaluation={"auc": 0.5})


@contextmanager
def racers(database: str, folder: Path, count: int) -> Generator[list[subprocess.Popen[str]]]:
    """Processes that share nothing but the database."""
    started = []
    for number in range(count):
        home = folder / f"machine{number}"
        home.mkdir()
        environment = os.environ | {"MLOPS_DATABASE": database, "MLOPS_HOME": str(home)}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        command = [*RACER, f"racer{number}"]
        started.append(
            subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)  # ty: ignore
        )
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def heard(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def all_of(processes: list[subprocess.Popen[str]], lines: list[str]) -> list[str]:
    for process, line in zip(processes, lines, strict=True):
        say(process, line)
    return [heard(process) for process in processes]


def test_of_four_machines_one_wins_each_race(database: str, tmp_path: Path) -> None:
    """From the first use on, when all of them come to a database without tables."""
    winners = []
    with racers(database, tmp_path, MACHINES) as processes:
        for race in range(RACES):
            assert all_of(processes, ["look"] * MACHINES) == ["look"] * MACHINES
            wanted = [race * MACHINES + number + 1 for number in range(MACHINES)]
            answers = all_of(processes, [f"go {version}" for version in wanted])
            assert sorted(answers) == ["lost"] * (MACHINES - 1) + ["won"]
            winners.append(wanted[answers.index("won")])
    history = PromotionLedger(database=database).history(MODEL)
    assert [p.to_version for p in history] == winners
    assert [p.sequence for p in history] == list(range(1, RACES + 1))
    assert [p.from_version for p in history] == [None, *winners[:-1]]
    assert [p.time for p in history] == sorted(p.time for p in history)


def test_a_lock_holds_between_machines_and_ends_with_its_holder(
    database: str, tmp_path: Path
) -> None:
    with racers(database, tmp_path, 2) as (first, second):
        say(first, "hold")
        assert heard(first) == "hold"
        say(second, "hold")
        got = threading.Event()
        waiter = threading.Thread(target=lambda: heard(second) == "hold" and got.set())
        waiter.start()
        assert not got.wait(1.5)
        first.kill()
        assert got.wait(30)
        waiter.join()


def test_rows_come_back_as_they_were_written(database: str) -> None:
    ledger = PromotionLedger(database=database)
    first = ledger.append(move(4), None)
    second = ledger.append(move(7).model_copy(update={"why": "manual: übernommen; '--:x"}), first)
    assert ledger.history(MODEL) == [first, second]
    assert ledger.head(MODEL) == second
    assert ledger.as_of(MODEL, first.time) in (first, second)
    assert ledger.as_of(MODEL, datetime(2020, 1, 1, tzinfo=UTC)) is None
    assert ledger.head("nobody") is None
    with pytest.raises(PromotionConflictError, match=r"version 4 was.*version 7 was"):
        ledger.append(move(9), first)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE mlops.promotions SET who = 'eve'",
        "DELETE FROM mlops.promotions",
        "TRUNCATE mlops.promotions",
        "INSERT INTO mlops.promotions (model, sequence, time, alias, from_version, to_version, who,"
        " why) SELECT model, 3, time, alias, 1, 9, who, why FROM mlops.promotions LIMIT 1",
        "INSERT INTO mlops.promotions (model, sequence, time, alias, from_version, to_version, who,"
        " why) SELECT model, 2, time, alias, 9, 8, who, why FROM mlops.promotions LIMIT 1",
        "INSERT INTO mlops.promotions (model, sequence, time, alias, from_version, to_version, who,"
        " why) SELECT model, 2, '2000', alias, 1, 9, who, why FROM mlops.promotions LIMIT 1",
    ],
    ids=["update", "delete", "truncate", "gap", "other head", "past"],
)
def test_the_database_itself_refuses_to_change_the_past(
    postgres: PostgresServer, database: str, statement: str
) -> None:
    ledger = PromotionLedger(database=database)
    first = ledger.append(move(1), None)
    with pytest.raises(psycopg2.IntegrityError, match=r"append-only|continues"):
        postgres.execute(statement, database)
    assert ledger.history(MODEL) == [first]


def test_another_writer_is_waited_for_and_readers_go_on(database: str) -> None:
    ledger = PromotionLedger(database=database, timeout_seconds=0.2)
    first = ledger.append(move(1), None)
    with ledger.transaction():
        with pytest.raises(LedgerLockedError, match="lock timeout"):
            ledger.append(move(2), first)
        assert ledger.head(MODEL) == first


def test_a_newer_layout_is_refused(postgres: PostgresServer, database: str) -> None:
    ledger = PromotionLedger(database=database)
    ledger.append(move(1), None)
    postgres.execute("COMMENT ON TABLE mlops.promotions IS 'layout 2'", database)
    with pytest.raises(LedgerError, match="has layout 2, this program knows 1; update the program"):
        ledger.head(MODEL)


def test_decisions_are_made_once_and_kept(database: str, postgres: PostgresServer) -> None:
    store = DecisionStore(database=database)
    memory = store.load(MODEL)
    decision = decide(POLICY, memory.state, feed(performance(1), performance(2)), START)
    assert store.record(MODEL, decision, memory, START)
    with pytest.raises(DecisionStoreBusyError, match="another process has decided on shop"):
        store.record(MODEL, decision, memory, START)
    assert decision.state.pending is not None
    outcome = Outcome(decision=decision.state.pending.id, result="promoted", run_id="r")
    again = decide(POLICY, decision.state, feed(), START + DAY)
    store.record(MODEL, again, store.load(MODEL), START + DAY, outcome)
    assert store.history(MODEL, 10)[0].outcome == "promoted"
    for until in (START + DAY, START + 9 * DAY):
        store.set_pause(MODEL, Pause(until=until, why="audit", who="ada"), START)
    found = store.pause(MODEL, START + 2 * DAY)
    assert found is not None
    assert found.until == START + 9 * DAY
    for change in ("DELETE FROM mlops.decisions", "UPDATE mlops.decisions SET reason = ''"):
        with pytest.raises(psycopg2.IntegrityError, match="append-only"):
            postgres.execute(change, database)


def test_a_server_that_never_answered_is_one_sentence_at_once() -> None:
    port = free_port()
    address = f"postgresql://ada:{QUOTED}@127.0.0.1:{port}/shop"
    began = time.monotonic()
    said = (
        rf"the ledger in postgresql://127.0.0.1:{port}/shop cannot be asked: .*; start the server, "
        "or correct the address in MLOPS_DATABASE or MLOPS_LEDGER"
    )
    with pytest.raises(LedgerLockedError, match=said) as caught:
        PromotionLedger(database=address).head(MODEL)
    assert time.monotonic() - began < 30, "it waits for none that it has never seen"
    assert_no_secret(caught.value)


def assert_no_secret(err: BaseException | None) -> None:
    while err is not None:
        assert PASSWORD not in str(err)
        assert QUOTED not in str(err)
        err = err.__cause__ or err.__context__


@pytest.mark.parametrize(
    ("wrong", "said", "kind"),
    [
        (lambda a: a.replace(QUOTED, "guess"), "password authentication failed", LedgerError),
        (lambda a: f"{a}nowhere", "does not exist", LedgerError),
        (lambda a: a.replace("postgresql:", "postgresql+asyncpg:"), "write post", ConfigError),
        (lambda a: a.replace(QUOTED, PASSWORD), "%2F, %3F, %23 and %40", ConfigError),
    ],
    ids=["password", "database", "driver", "not quoted"],
)  # fmt: skip
def test_what_will_not_pass_is_permanent_and_tells_no_secret(
    database: str, wrong: object, said: str, kind: type[Exception]
) -> None:
    assert callable(wrong)
    with pytest.raises(kind, match=said) as caught:
        PromotionLedger(database=str(wrong(database))).head(MODEL)
    assert not isinstance(caught.value, LedgerLockedError)
    assert_no_secret(caught.value)


@pytest.mark.parametrize(
    "scheme", ["postgres", "postgresql", "postgresql+psycopg2"], ids=lambda scheme: scheme
)
def test_any_spelling_of_the_scheme_will_do(database: str, scheme: str) -> None:
    address = database.replace("postgresql:", f"{scheme}:")
    assert PromotionLedger(database=address).history(MODEL) == []


def test_a_server_that_is_away_for_a_while_is_waited_for(
    postgres: PostgresServer, database: str
) -> None:
    ledger = PromotionLedger(database=database)
    first = ledger.append(move(1), None)
    postgres.kill()
    back = threading.Timer(3, postgres.start)
    back.start()
    second = ledger.append(move(2), first)
    back.join()
    assert ledger.history(MODEL) == [first, second]


def test_a_lock_lost_with_its_server_does_not_let_a_second_move_through(
    postgres: PostgresServer, database: str
) -> None:
    ledger = PromotionLedger(database=database)
    first = ledger.append(move(1), None)
    with ledger.exclusive(MODEL):
        postgres.kill()
        postgres.start()
        with ledger.exclusive(MODEL):  # as another machine would, now that the lock is gone
            second = ledger.append(move(2), first)
        with pytest.raises(PromotionConflictError):
            ledger.append(move(3), first)
    assert ledger.history(MODEL) == [first, second]
    assert second.time - first.time < timedelta(minutes=5)
