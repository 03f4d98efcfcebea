"""The draft over an event log: rows are events of entities, the target is what comes next."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from mlops_assets.errors import ConfigError
from mlops_assets.init.draft import DROPPED, Draft, Profiled, contract_of, named_columns
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.column import Column
from mlops_assets.init.reading.names import safe_name
from mlops_assets.init.roles import entity_contract, entity_name

_WINDOWS = (90, 30, 14, 7, 1)
_STEPS = {90: "1 month", 30: "1 month", 14: "2 weeks", 7: "1 week", 1: "1 day"}
_DAYS = {90: 30, 30: 30, 14: 14, 7: 7, 1: 1}
_LATE = 31
"""Days from one delivery to the next, at most: a table does not tell how often it will come."""
_MOST_TYPES = 10
_MOST_COLUMNS = 3
_NUMBERS = ("number", "signed_number")


class Log(NamedTuple):
    """Which columns of an event log are which, by source name."""

    entity: str
    timestamp: str
    kinds: tuple[str, ...]
    """Columns of few texts: what kind of event it is."""
    amounts: tuple[str, ...]
    target: str
    """A column of amounts, or `COLUMN=VALUE`, a kind of event."""

    @property
    def used(self) -> tuple[str, ...]:
        """All of them, but for the target."""
        return (self.entity, self.timestamp, *self.kinds, *self.amounts)


def find_log(
    table: Profiled, entity: str | None, timestamp: str | None, target: str, answers: Answers
) -> Log | None:
    """The table as an event log; None where it is a flat table.

    It is one if its ids recur and the target is a kind of event, or an amount that only some kinds
    have. Where the target is an amount of every row, it is one or a table of readings.

    Raises:
        ConfigError: `--shape events` of a table that is none.
        UndecidedError: It may be either.
    """
    shape = answers.given("shape")
    if shape == "flat" or entity is None or timestamp is None:
        return _none_of_it(answers)
    out = {entity, *named_columns(table, answers, "drop")}
    usable = [s for s in table.columns if table.found[s].use == "feature" and s not in out]
    kinds = tuple(source for source in usable if _is_kind(table, source))
    amounts = tuple(source for source in usable if table.found[source].rule in _NUMBERS)
    named = _named_kind(table, kinds, target)
    wanted = named or (target if target in amounts else None)
    if wanted is None or not table.columns[entity].distinct < 0.99 * table.rows:
        return _none_of_it(answers)
    log = Log(entity, timestamp, kinds, amounts, wanted)
    if named or shape == "events":
        return log
    plain = len(kinds) + len(amounts) == len(usable) <= _MOST_COLUMNS
    if not plain or _is_outcome(table, target) or _is_panel(table, entity):
        return None
    if kinds and table.columns[target].texts.null_count:
        return log
    said = f"is a row one of many events whose {target!r} add up, or a table row of its own?"
    return log if answers.ask("shape", said, "events", ["events", "flat"]) == "events" else None


def _none_of_it(answers: Answers) -> None:
    if answers.given("shape") == "events":
        raise ConfigError(
            "--shape events needs an entity, a moment, and as target a column of amounts or "
            "COLUMN=VALUE, a kind of event; name them by --entity, --time and --target"
        )


def _is_kind(table: Profiled, source: str) -> bool:
    found = table.found[source]
    return found.encoding is not None and table.columns[source].distinct <= 50


def _named_kind(table: Profiled, kinds: tuple[str, ...], target: str) -> str | None:
    """`COLUMN=VALUE` of a target that names a kind of event, with or without its column."""
    if target in table.columns:
        return None
    column, equals, value = target.partition("=")
    for source in kinds:
        values = table.columns[source].present.to_pylist()
        if equals and column in (source, table.columns[source].name) and value in values:
            return f"{source}={value}"
        if not equals and target in values:
            return f"{source}={target}"
    return None


def _is_outcome(table: Profiled, target: str) -> bool:
    """Whether it is a label of its row rather than an amount: two numbers at most."""
    numbers = table.found[target].numbers
    return numbers is not None and numbers.nunique() <= 2


def _is_panel(table: Profiled, entity: str) -> bool:
    """Whether each id has about as many rows, as of readings at fixed times."""
    counts = table.columns[entity].counts
    return bool(counts.std() < 0.2 * counts.mean())


def draft_events(table: Profiled, log: Log, draft: Draft, answers: Answers) -> None:
    """Add everything but the gate and the port to the draft.

    Raises:
        ConfigError: The log is too short for two snapshots, or an option is of no use for one.
    """
    _require_of_use(table, log, answers)
    draft.left_out.update(dict.fromkeys(named_columns(table, answers, "drop"), DROPPED))
    _keys(table, log, draft)
    _contract(table, log, draft)
    window = _window(table, log)
    _snapshots(table, log, window, draft)
    _aggregates(table, log, window, draft)
    _target(table, log, window, draft)
    _training(table, window, draft)


def _require_of_use(table: Profiled, log: Log, answers: Answers) -> None:
    if positive := answers.given("positive"):
        raise ConfigError(
            f"--positive {positive!r}: of an event log it is asked whether {log.target!r} comes; "
            "leave it out"
        )
    for source in named_columns(table, answers, "keep") - {*log.used, log.target}:
        raise ConfigError(
            f"--keep {source!r}: events are counted by kind and summed by amount, and it is "
            f"neither ({table.found[source].why}); leave it out, or add an aggregate to the YAML"
        )


def _keys(table: Profiled, log: Log, draft: Draft) -> None:
    entity = table.columns[log.entity]
    block = {"name": entity_name(entity), **entity_contract(entity)}
    distinct = entity.distinct
    said = f"{log.entity}: {distinct} different in {table.rows} rows, so these are events"
    draft.decide("entity", block, said, likely=True)
    found = table.found[log.timestamp]
    first, last = _span(table, log)
    said = f"{log.timestamp}: {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    draft.decide("timestamp", table.columns[log.timestamp].name, f"{said}, {found.why}")


def _contract(table: Profiled, log: Log, draft: Draft) -> None:
    for source, column in table.columns.items():
        found = table.found[source]
        if source not in log.used:
            unused = found.why if found.use == "left out" else "no event says so"
            draft.left_out.setdefault(source, unused)
            continue
        contract = entity_contract(column) if source == log.entity else found.contract
        name = entity_name(column) if source == log.entity else column.name
        said = "the entity" if source == log.entity else found.why
        place = f"contract.columns.{name}"
        draft.decide(place, contract_of(column, contract), said, told=False)
    draft.left_out.update(table.left_out)
    if draft.left_out:
        draft.attributes["contract"]["extra_columns"] = "drop"


def _span(table: Profiled, log: Log) -> tuple[datetime, datetime]:
    moments = table.moments(log.timestamp)
    return moments.min().to_pydatetime(), moments.max().to_pydatetime()


def _window(table: Profiled, log: Log) -> int:
    """Days of the target's window: an eighth of the span or less."""
    first, last = _span(table, log)
    days = (last - first).days
    fits = [window for window in _WINDOWS if 8 * window <= days]
    if not fits:
        raise ConfigError(
            f"the events of {log.timestamp!r} span {days} days, too few to look back and forth; "
            "provide more, or say --shape flat"
        )
    return fits[0]


def _snapshots(table: Profiled, log: Log, window: int, draft: Draft) -> None:
    first, last = _span(table, log)
    start = first.date() + timedelta(days=window + 1)
    if window >= 30 and start.day > 1:  # the first of the next month
        start = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    block = {"every": _STEPS[window], "start": f"{start:%Y-%m-%d}"}
    draft.decide(
        "features.snapshots", block, f"every {_STEPS[window]}, with all that was known by then"
    )
    said = "until the next snapshot has come, be it delivered a month late"
    draft.decide("features.ttl", f"{_DAYS[window] + _LATE}d", said, told=False)
    age = (datetime.now(UTC) - last).days
    if age > _DAYS[window]:
        draft.decide(
            "features.clock", "data", f"the newest event is {age} days old: served as if new"
        )


def _aggregates(table: Profiled, log: Log, window: int, draft: Draft) -> None:
    near, far = f"{window}d", f"{3 * window}d"
    found: dict[str, dict[str, Any]] = {
        "recency_days": {"agg": "days_since_last"},
        "tenure_days": {"agg": "days_since_first"},
        "events": {"agg": "count"},
        f"events_{near}": {"agg": "count", "window": near},
        f"events_{far}": {"agg": "count", "window": far},
    }
    for source in log.kinds:
        column = table.columns[source]
        values = list(dict.fromkeys(column.present.to_pylist()))
        if len(values) > _MOST_TYPES:
            found[f"{column.name}_different"] = {"agg": "nunique", "column": column.name}
            continue
        for value in sorted(values):
            kind = safe_name(value) or f"kind_{values.index(value) + 1}"
            found[f"{kind}_{far}"] = {
                "agg": "count",
                "where": {column.name: _typed(column, value, table)},
                "window": far,
            }
    for source in log.amounts:
        name = table.columns[source].name
        found[f"{name}_sum_{far}"] = {"agg": "sum", "column": name, "window": far}
        found[f"{name}_mean"] = {"agg": "mean", "column": name}
    draft.decide("features.aggregates", found, "counts by kind, sums by amount, over two windows")
    drift = {"ageing": {"tenure_days": "1d"}, "ignore": ["recency_days"]}
    said = "who does not come back only gets older"
    draft.decide("monitoring.drift", drift, said, told=False)


def _typed(column: Column, value: str, table: Profiled) -> str | int:
    return int(float(value)) if table.found[column.source].contract["dtype"] == "int64" else value


def _target(table: Profiled, log: Log, window: int, draft: Draft) -> None:
    source, equals, value = log.target.partition("=")
    column = table.columns[source if equals else log.target]
    if equals:
        where = {column.name: _typed(column, value, table)}
        name = f"{safe_name(value) or 'event'}_within_{window}d"
        block = {"agg": "count", "where": where, "at_least": 1}
        said = f"does {value!r} come within {window} days?"
    else:
        name = f"{column.name}_within_{window}d"
        block = {"agg": "sum", "column": column.name, "above": 0}
        said = f"is the sum of {log.target!r} within {window} days above 0?"
    draft.decide(
        "target",
        {"name": name, "task": "binary", **block, "window": f"{window}d"},
        said,
        likely=True,
    )


def _training(table: Profiled, window: int, draft: Draft) -> None:
    draft.decide(
        "training.estimator",
        "sklearn.ensemble.HistGradientBoostingClassifier",
        "boosted trees, which take missing values as they are",
    )
    number, unit = _STEPS[window].split()
    steps = 2 * int(number)
    test = f"{steps} {unit.removesuffix('s')}s"
    draft.decide("training.split", {"by": "time", "test": test}, "the last two snapshots")
