"""A table and a target -> the draft of a model's YAML, but for the gate, which a rehearsal sets."""

from dataclasses import replace
from typing import NamedTuple

from mlops_assets.errors import ConfigError
from mlops_assets.init.doubts.keys import doubt_entity
from mlops_assets.init.draft import Draft, Profiled, named_columns, profiled
from mlops_assets.init.events import draft_events, find_log
from mlops_assets.init.flat import Roles, draft_flat
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.table import Table
from mlops_assets.init.roles import (
    find_column,
    find_entity,
    find_timestamp,
    time_rivals,
)
from mlops_assets.init.target import find_target


class Wanted(NamedTuple):
    """What a person asked for, beside the answers."""

    name: str
    target: str
    port: int


def plan(table: Table, wanted: Wanted, answers: Answers) -> Draft:
    """Everything that is inferred of a sample.

    Raises:
        SourceError: It is no table that can be used.
        ConfigError: There is nothing to learn from it.
        UndecidedError: A person must decide.
    """
    draft = Draft()
    _source(table, wanted, draft)
    known = profiled(table, answers, wanted.target)
    _require_columns(known, wanted, answers)
    if known.missing.everywhere:
        texts = ["", *known.missing.everywhere]
        said = f"texts that mean no value: {', '.join(map(repr, texts[1:]))}"
        draft.decide("source.missing", texts, said)
    entity, timestamp = _keys(known, wanted, answers)
    known = _with_years(known, timestamp)
    draft.sample = known
    log = find_log(known, entity, timestamp, wanted.target, answers)
    if log is not None:
        draft_events(known, log, draft, answers)
    else:
        source = find_column(wanted.target, known.columns, "target")
        target = find_target(known.columns[source], known.found[source], answers)
        entity = None if entity == source else entity
        timestamp = None if timestamp == source else timestamp
        if entity is not None and timestamp is not None:
            keys = known.keys(entity, timestamp)
            entity = doubt_entity(keys, known.repeated, answers)
        draft_flat(known, Roles(entity, timestamp, target), draft, answers)
    _doubt_time(known, wanted, answers, draft)
    given = int(answers.given("port") or 0)
    said = "what --port says" if given else "the next that no other model has"
    draft.decide("deployment.port", wanted.port, said, told=False)
    schedule = {"train": "0 3 * * 0", "monitor": "0 * * * *"}
    said = "UTC: trained on Sundays at 3, watched every hour"
    draft.decide("schedule", schedule, said, told=False)
    return draft


def _source(table: Table, wanted: Wanted, draft: Draft) -> None:
    draft.decide("name", wanted.name, "", told=False)
    draft.decide("source", dict(table.source), f"{table.looked_at} were looked at")


def _require_columns(known: Profiled, wanted: Wanted, answers: Answers) -> None:
    """Refuse options of columns that are not there, or are not what the option says."""
    dropped, _ = (named_columns(known, answers, option) for option in ("drop", "keep"))
    columns = known.columns
    if any(wanted.target in (one, columns[one].name) for one in dropped):
        raise ConfigError(f"--drop {wanted.target!r} is the target; drop another column")
    for source in named_columns(known, answers, "epochs"):
        if known.found[source].rule != "epoch":
            raise ConfigError(
                f"--epochs {source!r} does not count time since 1970, in one unit, in every row: "
                f"{known.found[source].why}"
            )


def _keys(known: Profiled, wanted: Wanted, answers: Answers) -> tuple[str | None, str | None]:
    """Source names of entity and timestamp, neither of them the target."""
    others = {s: c for s, c in known.columns.items() if wanted.target not in (s, c.name)}
    entity = find_entity(others, known.found, answers)
    rest = {source: column for source, column in others.items() if source != entity}
    return entity, find_timestamp(rest, known.found, answers)


def _doubt_time(known: Profiled, wanted: Wanted, answers: Answers, draft: Draft) -> None:
    """Mark the timestamp as likely where another column may be it, unless a person named it."""
    at = [n for n, one in enumerate(draft.decisions) if one.place == "timestamp"]
    if not at or answers.given("time"):
        return
    name = draft.attributes["timestamp"]
    (chosen,) = [source for source, column in known.columns.items() if column.name == name]
    others = {s: c for s, c in known.columns.items() if wanted.target not in (s, c.name)}
    rivals = ", ".join(map(repr, time_rivals(others, known.found, chosen)))
    if rivals:
        decision = draft.decisions[at[0]]
        said = f"{decision.said}; or is it {rivals}?"
        draft.decisions[at[0]] = decision._replace(said=said, likely=True)


def _with_years(known: Profiled, timestamp: str | None) -> Profiled:
    """Years that are not the rows' moments are numbers."""
    found = dict(known.found)
    for source, one in known.found.items():
        if one.contract.get("format") == "%Y" and source != timestamp and one.moments is not None:
            nullable = {key: True for key in ("nullable",) if key in one.contract}
            years = one.moments.dt.year.astype("float64")
            found[source] = replace(
                one,
                rule="number",
                why="years",
                use="feature",
                contract={"dtype": "int64", **nullable},
                numbers=years,
                moments=None,
            )
    return replace(known, found=found)
