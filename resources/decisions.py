"""What the retrain policy remembers and has decided, and who has paused it: one database.

Decisions and pauses are only ever added. A decision that is the same as the one before is that
row's heartbeat, so that a quiet year does not grow it. The state is written in the same
transaction as the decision that led to it, before a run is asked for: a killed process loses none.

How it is decided is `mlops_assets.ml.retraining.policy`; moves of the champion are in other tables,
`resources.champion.ledger`.
"""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from mlops_assets.errors import DecisionStoreBusyError, DecisionStoreError
from mlops_assets.records.retraining import Decision, Outcome, Pause, Recorded, RetrainState
from resources.databases.own import Database, sortable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_TABLES = """
CREATE TABLE states (
    model TEXT PRIMARY KEY, revision INTEGER NOT NULL, state TEXT NOT NULL
){strict};
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
){strict};
CREATE UNIQUE INDEX decisions_by_training ON decisions (model, pending);
CREATE TABLE pauses (
    number INTEGER PRIMARY KEY,
    model TEXT NOT NULL,
    time TEXT NOT NULL,
    until TEXT NOT NULL,
    why TEXT NOT NULL,
    who TEXT NOT NULL
){strict};
CREATE INDEX pauses_by_model ON pauses (model, number);
"""
_GUARDS = {
    "sqlite": """
CREATE TRIGGER decisions_stay BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER pauses_stay BEFORE DELETE ON pauses
BEGIN SELECT RAISE(ABORT, 'pauses are append-only'); END;
CREATE TRIGGER what_was_decided_stays
BEFORE UPDATE OF time, action, rule, reason, pending ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
""",
    "postgresql": """
CREATE TRIGGER decisions_stay BEFORE DELETE ON decisions
FOR EACH ROW EXECUTE FUNCTION refuse('decisions are append-only');
CREATE TRIGGER pauses_stay BEFORE DELETE ON pauses
FOR EACH ROW EXECUTE FUNCTION refuse('pauses are append-only');
CREATE TRIGGER what_was_decided_stays
BEFORE UPDATE OF time, action, rule, reason, pending ON decisions
FOR EACH ROW EXECUTE FUNCTION refuse('decisions are append-only');
CREATE TRIGGER decisions_are_kept BEFORE TRUNCATE ON decisions
FOR EACH STATEMENT EXECUTE FUNCTION refuse('decisions are append-only');
CREATE TRIGGER pauses_are_kept BEFORE TRUNCATE ON pauses
FOR EACH STATEMENT EXECUTE FUNCTION refuse('pauses are append-only');
""",
}
_SHOWN = "number, time, last_seen, ticks, action, rule, reason, run_id, outcome"


class Memory(NamedTuple):
    """The state of one model, and which one it is."""

    state: RetrainState
    revision: int


class DecisionStore(Database):
    """What was decided of every model and is remembered; the tables are made on first use.

    >>> DecisionStore(database="decisions.db").history("customers", last=5)
    []
    """

    table, tables, guards = "decisions", _TABLES, _GUARDS
    called, variable = "the decisions", "MLOPS_DECISIONS"
    error, busy = DecisionStoreError, DecisionStoreBusyError

    def load(self, model: str) -> Memory:
        """What is remembered; nothing before the first decision."""
        from sqlalchemy import text

        query = text("SELECT state, revision FROM states WHERE model = :model")
        with self.connection(reads=True) as connection:
            found = connection.execute(query, {"model": model}).first()
        if found is None:
            return Memory(RetrainState(), 0)
        return Memory(RetrainState.model_validate_json(found.state), found.revision)

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
        with self.transaction() as connection:
            _keep_state(connection, model, decision, seen)
            if outcome is not None:
                _keep_outcome(connection, model, outcome)
            return _add_or_beat(connection, model, decision, sortable(now))

    def history(self, model: str, last: int) -> list[Recorded]:
        """The newest decisions, the oldest of them first."""
        from sqlalchemy import text

        newest = "WHERE model = :model ORDER BY number DESC LIMIT :last"
        query = text(f"SELECT {_SHOWN} FROM decisions {newest}")  # noqa: S608
        with self.connection(reads=True) as connection:
            rows = connection.execute(query, {"model": model, "last": last}).mappings().all()
        return [Recorded.model_validate(dict(row)) for row in rows[::-1]]

    def set_pause(self, model: str, pause: Pause, now: datetime) -> None:
        """Start no training of a model until a moment; one in the past ends an earlier pause.

        Raises:
            ForeignDatabaseError: MLOPS_DATABASE is another project's, whose model it would be.
        """
        from sqlalchemy import text

        from resources.bucket.store_of_facts import require_own

        require_own()
        insert = text(
            "INSERT INTO pauses (number, model, time, until, why, who) "
            "SELECT 1 + COALESCE(MAX(number), 0), :model, :time, :until, :why, :who FROM pauses"
        )
        said = {"until": sortable(pause.until), "why": pause.why, "who": pause.who}
        with self.transaction() as connection:
            connection.execute(insert, {"model": model, "time": sortable(now), **said})

    def pause(self, model: str, now: datetime) -> Pause | None:
        """The pause in force; None without one, and after it has ended."""
        from sqlalchemy import text

        newest = "WHERE model = :model ORDER BY number DESC LIMIT 1"
        query = text(f"SELECT until, why, who FROM pauses {newest}")  # noqa: S608
        with self.connection(reads=True) as connection:
            found = connection.execute(query, {"model": model}).mappings().first()
        if found is None or found["until"] <= sortable(now):
            return None
        return Pause.model_validate(dict(found))


def _keep_state(connection: "Connection", model: str, decision: Decision, seen: Memory) -> None:
    """Replace the state that was seen; nothing to do when it is the same."""
    from sqlalchemy import text

    query = text("SELECT revision FROM states WHERE model = :model")
    found = connection.execute(query, {"model": model}).scalar()
    if (found or 0) != seen.revision:
        raise DecisionStoreBusyError(
            f"another process has decided on {model} since revision {seen.revision}; look again"
        )
    if decision.state != seen.state or not found:
        replace = text(
            "INSERT INTO states VALUES (:model, :revision, :state) ON CONFLICT (model) DO UPDATE "
            "SET revision = excluded.revision, state = excluded.state"
        )
        state = decision.state.model_dump_json()
        revised = {"model": model, "revision": seen.revision + 1, "state": state}
        connection.execute(replace, revised)


def _keep_outcome(connection: "Connection", model: str, outcome: Outcome) -> None:
    from sqlalchemy import text

    said = ": ".join(part for part in (outcome.result, outcome.reason) if part)
    update = text(
        "UPDATE decisions SET run_id = :run_id, outcome = :said "
        "WHERE model = :model AND pending = :decision"
    )
    known = {"run_id": outcome.run_id, "said": said, "decision": outcome.decision}
    connection.execute(update, {"model": model, **known})


def _add_or_beat(connection: "Connection", model: str, decision: Decision, now: str) -> bool:
    """A row of its own for what differs from the newest, else one more tick of that."""
    from sqlalchemy import text

    query = text(
        "SELECT number, action, rule, reason FROM decisions WHERE model = :model "
        "ORDER BY number DESC LIMIT 1"
    )
    newest = connection.execute(query, {"model": model}).first()
    said = {"action": decision.action, "rule": decision.rule, "reason": decision.reason}
    first = decision.action == "train" and decision.rule != "repeated"
    if newest and newest[1:] == (*said.values(),) and not first:
        beat = text(
            "UPDATE decisions SET last_seen = :now, ticks = ticks + 1 "
            "WHERE model = :model AND number = :number"
        )
        connection.execute(beat, {"now": now, "model": model, "number": newest.number})
        return False
    pending = decision.state.pending.id if first and decision.state.pending else None
    number = newest.number + 1 if newest else 1
    insert = text(
        "INSERT INTO decisions "
        "(model, number, time, last_seen, action, rule, reason, pending) VALUES "
        "(:model, :number, :now, :now, :action, :rule, :reason, :pending)"
    )
    row = {"model": model, "number": number, "now": now, "pending": pending}
    connection.execute(insert, row | said)
    return True
