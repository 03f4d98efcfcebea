"""The verbs `history`, `rollback` and `promote`: the champion, looked at and moved.

The moves themselves are those of `resources.champion.by_hand`.
"""

import getpass
from collections.abc import Sequence
from datetime import UTC, datetime, time

import dagster as dg

from jobs.promotion import events, warning
from mlops_assets.cli.context import aligned, load_definitions, open_promotions, say, say_facts
from mlops_assets.errors import ConfigError
from mlops_assets.records.promotion import HandMove, Promotion
from resources.champion.ledger import PromotionLedger


def history(model: str, at: str | None, *, as_json: bool) -> int:
    """Print who was champion when, and why."""
    with open_promotions(load_definitions(), model) as promotions:
        ledger = promotions.ledger
        if at is None:
            say_facts(ledger.history(model), said_history(model, ledger), as_json=as_json)
            return 0
        found = ledger.as_of(model, parse_moment(at).astimezone(UTC))
        say_facts([found] if found else [], said_as_of(model, at, ledger), as_json=as_json)
    return 0


def rollback(model: str, to: int | None, why: str | None, *, as_json: bool) -> int:
    """Serve an older version again."""
    with open_promotions(load_definitions(), model) as promotions:
        moved = promotions.roll_back(to, why or "", getpass.getuser())
    announce(moved, give_up=True, as_json=as_json)
    return 0


def promote(model: str, version: int, why: str, *, as_json: bool) -> int:
    """Serve a version that was deployed before, whatever the gate says."""
    with open_promotions(load_definitions(), model) as promotions:
        moved = promotions.promote(version, why, getpass.getuser())
    announce(moved, give_up=False, as_json=as_json)
    return 0


def said_history(model: str, ledger: PromotionLedger) -> str:
    """A table of all moves, the oldest first."""
    moves = ledger.history(model)
    return _table(moves) if moves else f"{model}: no champion yet"


def said_as_of(model: str, text: str, ledger: PromotionLedger) -> str:
    """Which version was champion at a moment; a date alone means its end."""
    moment = parse_moment(text).astimezone(UTC)
    found = ledger.as_of(model, moment)
    if found is None:
        return f"{model}: no champion at {moment:%Y-%m-%d %H:%M:%S} UTC"
    return (
        f"{model}: version {found.to_version} at {moment:%Y-%m-%d %H:%M:%S} UTC, "
        f"champion since {found.time:%Y-%m-%d %H:%M:%S} UTC by {found.who} ({found.why})"
    )


def said_move(moved: HandMove) -> str:
    """One line on what serves now, and what served before."""
    endpoint, before = moved.endpoint, moved.before
    stays = before == endpoint.model_version
    champion = "champion as before" if stays else f"champion after {before or 'none'}"
    return f"{endpoint.model_name}: version {endpoint.model_version} at {endpoint.url}, {champion}"


def announce(moved: HandMove, *, give_up: bool, as_json: bool = False) -> None:
    """Print a move, and leave the events in Dagster that the jobs leave.

    Of a version that was given up it also says which trainings are in flight.
    """
    say_facts(moved, said_move(moved), as_json=as_json)
    with dg.DagsterInstance.get() as instance:
        for event in events(instance, moved.endpoint, moved.before):
            instance.report_runless_asset_event(event)
        if give_up and (text := warning(instance, moved)):
            say(text, error=True)


def parse_moment(text: str) -> datetime:
    """An ISO date, meaning its last moment, or date and time, UTC by default; or `ConfigError`."""
    try:
        moment = datetime.fromisoformat(text)
        moment.astimezone(UTC)
    except (ValueError, OverflowError) as err:
        raise ConfigError(f"{text!r} is no date like 2026-03-03 or 2026-03-03T12:00") from err
    if len(text) <= len("2026-03-03"):
        moment = datetime.combine(moment, time.max)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _table(moves: Sequence[Promotion]) -> str:
    rows = [("when (UTC)", "version", "who", "why")]
    for move in moves:
        versions = f"{move.from_version or '-'} -> {move.to_version}"
        rows.append((f"{move.time:%Y-%m-%d %H:%M:%S}", versions, move.who, move.why))
    return aligned(rows)
