"""What the retrain policy remembers and has decided, and who has paused it: one sqlite file.

Decisions and pauses are only ever added. A decision that is the same as the one before is that
row's heartbeat, so that a quiet year does not grow the file. The state is written in the same
transaction as the decision that led to it, before a run is asked for: a killed process loses none.

How it is decided is `mlops_assets.ml.retraining.policy`; moves of the champion are in another file,
`resources.champion.ledger`.
"""

import sqlite3
from datetime import datetime
from typing import NamedTuple

from mlops_assets.errors import DecisionStoreBusyError, DecisionStoreError
from mlops_assets.records.retraining import Decision, Outcome, Pause, Recorded, RetrainState
from resources.sqlite import SqliteFile, sortable

_SCHEMA = """
CREATE TABLE states (
    model TEXT PRIMARY KEY, revision INTEGER NOT NULL, state TEXT NOT NULL
) STRICT;
CREATE TABLE decisions (
    model TEXT NOT NULL,
    number INTEGER NOT NULL,
    time TEXT NOT NULL,
    last_seen TEXT NOT NULL,
    ticks INTEGER NOT NULL DEFAULT 1,
    action TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    pending TEXT,
    run_id TEXT,
    outcome TEXT,
    PRIMARY KEY (model, number)
) STRICT;
CREATE UNIQUE INDEX decisions_by_training ON decisions (model, pending);
CREATE TABLE pauses (
    number INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    time TEXT NOT NULL,
    until TEXT NOT NULL,
    why TEXT NOT NULL,
    who TEXT NOT NULL
) STRICT;
CREATE INDEX pauses_by_model ON pauses (model, number);
CREATE TRIGGER decisions_stay BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER pauses_stay BEFORE DELETE ON pauses
BEGIN SELECT RAISE(ABORT, 'pauses are append-only'); END;
CREATE TRIGGER what_was_decided_stays
BEFORE UPDATE OF time, action, rule, reason, pending ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
"""
_SHOWN = "number, time, last_seen, ticks, action, rule, reason, run_id, outcome"


class Memory(NamedTuple):
    """The state of one model, and which one it is."""

    state: RetrainState
    revision: int


class DecisionStore(SqliteFile):
    """What was decided of every model and is remembered, in a file that is created on first use.

    >>> DecisionStore(path="decisions.db").history("customers", last=5)
    []
    """

    tables, called, variable = _SCHEMA, "the decisions", "MLOPS_DECISIONS"
    error, busy = DecisionStoreError, DecisionStoreBusyError

    def load(self, model: str) -> Memory:
        """What is remembered; nothing before the first decision."""
        query = "SELECT state, revision FROM states WHERE model = ?"
        with self.connection(reads=True) as connection:
            found = connection.execute(query, (model,)).fetchone()
        if found is None:
            return Memory(RetrainState(), 0)
        return Memory(RetrainState.model_validate_json(found[0]), found[1])

    def record(
        self,
        model: str,
        decision: Decision,
        seen: Memory,
        now: datetime,
        outcome: Outcome | None = None,
    ) -> bool:
        """Write what `decide` made of what `load` answered, and what became of the training before.

        Returns:
            Whether it says anything new: another action, rule or reason.

        Raises:
            DecisionStoreBusyError: Another process has decided since `load`; nothing was written.
        """
        with self.connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            _keep_state(connection, model, decision, seen)
            if outcome is not None:
                text = ": ".join(part for part in (outcome.result, outcome.reason) if part)
                connection.execute(
                    "UPDATE decisions SET run_id = ?, outcome = ? WHERE model = ? AND pending = ?",
                    (outcome.run_id, text, model, outcome.decision),
                )
            new = _add_or_beat(connection, model, decision, sortable(now))
            connection.execute("COMMIT")
        return new

    def history(self, model: str, last: int) -> list[Recorded]:
        """The newest decisions, the oldest of them first."""
        query = f"SELECT {_SHOWN} FROM decisions WHERE model = ? ORDER BY number DESC LIMIT ?"  # noqa: S608
        with self.connection(reads=True) as connection:
            rows = connection.execute(query, (model, last)).fetchall()
        names = _SHOWN.split(", ")
        return [Recorded.model_validate(dict(zip(names, row, strict=True))) for row in rows[::-1]]

    def set_pause(self, model: str, pause: Pause, now: datetime) -> None:
        """Start no training of a model until a moment; one in the past ends an earlier pause."""
        insert = "INSERT INTO pauses (model, time, until, why, who) VALUES (?, ?, ?, ?, ?)"
        with self.connection() as connection:
            values = (model, sortable(now), sortable(pause.until), pause.why, pause.who)
            connection.execute(insert, values)

    def pause(self, model: str, now: datetime) -> Pause | None:
        """The pause in force; None without one, and after it has ended."""
        query = "SELECT until, why, who FROM pauses WHERE model = ? ORDER BY number DESC LIMIT 1"
        with self.connection(reads=True) as connection:
            found = connection.execute(query, (model,)).fetchone()
        if found is None or found[0] <= sortable(now):
            return None
        return Pause.model_validate(dict(zip(("until", "why", "who"), found, strict=True)))


def _keep_state(
    connection: sqlite3.Connection, model: str, decision: Decision, seen: Memory
) -> None:
    """Replace the state that was seen; nothing to do when it is the same."""
    query = "SELECT revision FROM states WHERE model = ?"
    found = connection.execute(query, (model,)).fetchone()
    if (found[0] if found else 0) != seen.revision:
        raise DecisionStoreBusyError(
            f"another process has decided on {model} since revision {seen.revision}; look again"
        )
    if decision.state != seen.state or not found:
        connection.execute(
            "INSERT INTO states VALUES (?, ?, ?) ON CONFLICT (model) DO UPDATE "
            "SET revision = excluded.revision, state = excluded.state",
            (model, seen.revision + 1, decision.state.model_dump_json()),
        )


def _add_or_beat(connection: sqlite3.Connection, model: str, decision: Decision, now: str) -> bool:
    """A row of its own for what differs from the newest, else one more tick of that."""
    query = (
        "SELECT number, action, rule, reason FROM decisions WHERE model = ? ORDER BY number DESC"
    )
    newest = connection.execute(f"{query} LIMIT 1", (model,)).fetchone()
    said = (decision.action, decision.rule, decision.reason)
    first = decision.action == "train" and decision.rule != "repeated"
    if newest and newest[1:] == said and not first:
        beat = (
            "UPDATE decisions SET last_seen = ?, ticks = ticks + 1 WHERE model = ? AND number = ?"
        )
        connection.execute(beat, (now, model, newest[0]))
        return False
    pending = decision.state.pending.id if first and decision.state.pending else None
    connection.execute(
        "INSERT INTO decisions (model, number, time, last_seen, action, rule, reason, pending) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (model, newest[0] + 1 if newest else 1, now, now, *said, pending),
    )
    return True
