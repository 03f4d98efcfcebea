"""The promotion ledger: which version of a model was champion when, by whom and why.

It is the truth that the registry's aliases follow (`resources/champion/aliases.py`). Rows are only
ever added, each to the head that its writer saw; triggers in the database hold that also against
other programs.

Whether a version may become champion is not asked here: the gate and `resources.champion.rollbacks`
do.
"""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_assets.errors import LedgerError, LedgerLockedError, PromotionConflictError
from mlops_assets.records.promotion import Move, Promotion
from resources.databases.own import Database, sortable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

_TABLES = """
CREATE TABLE promotions (
    model TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    time TEXT NOT NULL,
    alias TEXT NOT NULL,
    from_version INTEGER,
    to_version INTEGER NOT NULL CHECK (from_version IS NULL OR to_version <> from_version),
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    evaluation TEXT,
    data_version TEXT,
    git_sha TEXT,
    PRIMARY KEY (model, sequence)
){strict};
CREATE INDEX promotions_by_time ON promotions (model, time, sequence);
"""
_GUARDS = {
    "sqlite": """
CREATE TRIGGER no_update BEFORE UPDATE ON promotions
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER no_delete BEFORE DELETE ON promotions
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
-- Also against INSERT OR REPLACE, which deletes without firing a delete trigger.
CREATE TRIGGER linear BEFORE INSERT ON promotions
WHEN NEW.sequence IS NOT 1 + COALESCE(
        (SELECT MAX(sequence) FROM promotions WHERE model = NEW.model), 0)
    OR NEW.from_version IS NOT
        (SELECT to_version FROM promotions WHERE model = NEW.model ORDER BY sequence DESC LIMIT 1)
    OR NEW.time <
        (SELECT time FROM promotions WHERE model = NEW.model ORDER BY sequence DESC LIMIT 1)
BEGIN SELECT RAISE(ABORT, 'a row continues the one before it'); END;
""",
    "postgresql": """
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON promotions
FOR EACH ROW EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON promotions
FOR EACH STATEMENT EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE FUNCTION continue_the_ledger() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE head promotions;
BEGIN
    SELECT * INTO head FROM promotions WHERE model = NEW.model ORDER BY sequence DESC LIMIT 1;
    IF NEW.sequence <> 1 + COALESCE(head.sequence, 0)
        OR NEW.from_version IS DISTINCT FROM head.to_version
        OR NEW.time < head.time
    THEN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
        MESSAGE = 'a row continues the one before it';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER linear BEFORE INSERT ON promotions
FOR EACH ROW EXECUTE FUNCTION continue_the_ledger();
""",
}
_COLUMNS = (
    *("model", "sequence", "time", "alias", "from_version", "to_version"),
    *("who", "why", "evaluation", "data_version", "git_sha"),
)


class PromotionLedger(Database):
    """Every move of every model's champion, in a database whose tables are made on first use.

    >>> PromotionLedger(database="ledger.db").history("customers")
    []
    """

    table, tables, guards = "promotions", _TABLES, _GUARDS
    called, variable = "the ledger", "MLOPS_LEDGER"
    error, busy = LedgerError, LedgerLockedError

    def exclusive(self, model: str) -> AbstractContextManager[None]:
        """Hold one model's champion against every other process of this ledger; waits.

        Those of other machines too, where the ledger is on a server.
        """
        return self.one_at_a_time(model)

    def append(self, move: Move, expected_from: Promotion | None) -> Promotion:
        """Record a move, if the head still is `expected_from`, as when the move was decided.

        Sequence, time and the version it leaves are filled in. What `require_head` raises is
        raised.
        """
        from sqlalchemy import text

        with self.transaction() as connection:
            head = _head(connection, move.model)
            require_head(move, head, expected_from)
            now = self._now()
            promotion = Promotion(
                **move.model_dump(),
                sequence=head.sequence + 1 if head else 1,
                # A clock that was set back must not change the order.
                time=max(now, head.time) if head else now,
                from_version=head.to_version if head else None,
            )
            holes = ", ".join(f":{name}" for name in _COLUMNS)
            insert = f"INSERT INTO promotions ({', '.join(_COLUMNS)}) VALUES ({holes})"  # noqa: S608
            connection.execute(text(insert), _row(promotion))
        return promotion

    def head(self, model: str) -> Promotion | None:
        """The newest move of a model; None before the first."""
        with self.connection(reads=True) as connection:
            return _head(connection, model)

    def history(self, model: str) -> list[Promotion]:
        """All moves of a model, the oldest first."""
        with self.connection(reads=True) as connection:
            return _select(connection, "WHERE model = :model ORDER BY sequence", model=model)

    def as_of(self, model: str, time: datetime) -> Promotion | None:
        """The move that was in force at a moment, its own moment included; None before the first.

        A `time` without a timezone is a `LedgerError`.
        """
        if time.tzinfo is None:
            raise LedgerError(f"{time.isoformat()} has no timezone; say which, e.g. UTC")
        condition = (
            "WHERE model = :model AND time <= :time ORDER BY time DESC, sequence DESC LIMIT 1"
        )
        with self.connection(reads=True) as connection:
            found = _select(connection, condition, model=model, time=sortable(time))
        return found[0] if found else None

    def _now(self) -> datetime:
        return datetime.now(UTC)


def require_head(move: Move, head: Promotion | None, expected_from: Promotion | None) -> None:
    """Refuse a move that was decided on another head, or that moves nothing.

    Raises:
        PromotionConflictError: With both heads.
        LedgerError: The version is champion already.
    """
    if head != expected_from:
        raise PromotionConflictError(
            f"{move.model} was not moved to version {move.to_version}: that was decided when "
            f"{_said(expected_from)}, and by now {_said(head)}; look at "
            f"`mlops history {move.model}` and decide again"
        )
    if head and head.to_version == move.to_version:
        raise LedgerError(f"version {move.to_version} of {move.model} is the champion already")


def standing(history: Sequence[Promotion]) -> list[int]:
    """The versions that rollbacks would go through, the champion last.

    A rollback takes away what came after the version it goes back to, so that a second one goes
    further back and not to the version that the first one gave up.
    """
    versions: list[int] = []
    for promotion in history:
        if promotion.is_rollback and promotion.to_version in versions:
            while versions[-1] != promotion.to_version:
                versions.pop()
        else:
            versions.append(promotion.to_version)
    return versions


def given_up(history: Sequence[Promotion]) -> dict[int, Promotion]:
    """Version -> the rollback that gave it up, the newest last; without those that came back.

    A rollback gives up the champion that it leaves, and what it passes over on the way.
    """
    gone: dict[int, Promotion] = {}
    for count, move in enumerate(history):
        if move.is_rollback:
            left = set(standing(history[:count])) - set(standing(history[: count + 1]))
            for version in sorted({*left, *filter(None, [move.from_version])}):
                gone.pop(version, None)
                gone[version] = move
        gone.pop(move.to_version, None)
    return gone


def _said(head: Promotion | None) -> str:
    if head is None:
        return "there was no champion"
    return f"version {head.to_version} was champion (move {head.sequence} by {head.who})"


def _row(promotion: Promotion) -> dict[str, str | int | None]:
    values = promotion.model_dump()
    evaluation = promotion.evaluation
    values["time"] = sortable(promotion.time)
    values["evaluation"] = None if evaluation is None else json.dumps(evaluation)
    return {name: values[name] for name in _COLUMNS}


def _select(connection: "Connection", condition: str, **values: str) -> list[Promotion]:
    from sqlalchemy import text

    query = f"SELECT {', '.join(_COLUMNS)} FROM promotions {condition}"  # noqa: S608  our own texts
    promotions = []
    for row in connection.execute(text(query), values).mappings():
        fields = dict(row)
        if fields["evaluation"] is not None:
            fields["evaluation"] = json.loads(fields["evaluation"])
        promotions.append(Promotion.model_validate(fields))
    return promotions


def _head(connection: "Connection", model: str) -> Promotion | None:
    newest = "WHERE model = :model ORDER BY sequence DESC LIMIT 1"
    found = _select(connection, newest, model=model)
    return found[0] if found else None
