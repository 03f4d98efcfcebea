"""The decision store: of those who decide at once, one does; nothing is lost or taken back."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from mlops_assets.cli.retraining import Retraining
from mlops_assets.errors import DecisionStoreBusyError, DecisionStoreError
from mlops_assets.ml.retraining.policy import decide
from mlops_assets.records.retraining import Outcome, RetrainState
from resources.decisions import DecisionStore, Memory
from tests.support.retraining.reports import DAY, POLICY, START, feed, performance

BAD = feed(performance(1), performance(2))


@pytest.fixture
def store(tmp_path: Path) -> DecisionStore:
    return DecisionStore(database=str(tmp_path / "state" / "decisions.db"))


def test_of_two_that_decide_the_same_tick_one_decides(store: DecisionStore) -> None:
    together = Barrier(8)

    def tick(number: int) -> bool:
        memory = store.load("shop")
        decision = decide(POLICY, memory.state, BAD, START)
        together.wait()
        try:
            return store.record("shop", decision, memory, START)
        except DecisionStoreBusyError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(tick, range(8))) == [False] * 7 + [True]
    (row,) = store.history("shop", 10)
    assert (row.action, row.ticks) == ("train", 1)
    assert store.load("shop").revision == 1


def test_a_decision_that_lost_is_not_written_in_part(store: DecisionStore) -> None:
    memory = store.load("shop")
    decision = decide(POLICY, memory.state, BAD, START)
    assert store.record("shop", decision, memory, START)
    pending = decision.state.pending
    assert pending is not None
    outcome = Outcome(decision=pending.id, result="promoted", run_id="r")
    with pytest.raises(DecisionStoreBusyError, match="another process has decided on shop"):
        store.record("shop", decision, memory, START + DAY, outcome)
    (row,) = store.history("shop", 10)
    assert row.outcome is None
    assert row.last_seen == START


def test_models_do_not_wait_for_each_other(store: DecisionStore) -> None:
    for name in ("shop", "fleet"):
        memory = store.load(name)
        assert store.record(name, decide(POLICY, memory.state, BAD, START), memory, START)
    assert store.load("shop").revision == store.load("fleet").revision == 1


def test_decisions_are_append_only(store: DecisionStore) -> None:
    decision = decide(POLICY, RetrainState(), BAD, START)
    store.record("shop", decision, Memory(RetrainState(), 0), START)
    with sqlite3.connect(store.database) as connection:
        for change in ("DELETE FROM decisions", "UPDATE decisions SET reason = 'none'"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(change)
    connection.close()


def test_a_file_of_a_later_release_is_refused_with_the_remedy(store: DecisionStore) -> None:
    store.load("shop")
    with sqlite3.connect(store.database) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    refusal = r"layout 7, this program knows 1.*MLOPS_DECISIONS"
    with pytest.raises(DecisionStoreError, match=refusal):
        store.load("shop")


def test_a_pause_is_said_before_anything_was_decided(store: DecisionStore) -> None:
    verbs = Retraining("shop", store)
    verbs.pause(DAY, "stocktaking")
    nothing, pause = verbs.why(5).splitlines()
    assert "nothing decided yet" in nothing
    assert pause.startswith("shop: paused until ")
    assert pause.endswith("(stocktaking)")
    verbs.resume()
    assert verbs.why(5) == nothing
