"""Which column is the entity and which one the moment; what is predicted is in `target`."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mlops_assets.blocks.base import did_you_mean
from mlops_assets.blocks.data import ANSWER_FIELDS
from mlops_assets.errors import ConfigError
from mlops_assets.init.columns.found import Found
from mlops_assets.init.columns.words import is_other
from mlops_assets.init.questions import NONE, Answers
from mlops_assets.init.reading.column import ROW_NUMBER, Column
from mlops_assets.init.reading.names import safe_name

_ID = re.compile(
    r"(^|[ _.\-])(id|uuid|guid|key|nr|no[.]|number|nummer|mrn)[.]?$|[ _.\-]no$|"
    r"[a-z](?-i:I[Dd]|N[or])$|"
    r"(order|invoice|account|policy|serial|case|ticket|item|part|article|loan)[ _\-]?no$",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"^(customer|client|user|account|kunden?|patient|machine|device|sensor|person|member|vehicle|"
    r"driver|employee|player|store|shop|station|maschinen?|geraete?)"
    r"[ _.\-]?(id|nr|no|number|nummer|key|code|ref)?[.]?$",
    re.IGNORECASE,
)
_PLACE_OR_KIND = re.compile(
    r"zip|plz|post|fips|area|phone|tel|fax|mobile|ort|region|district|country|"
    r"categor|kategorie|class|klasse|kind|typ|group|gruppe|segment",
    re.IGNORECASE,
)
"""What is written with leading zeros too, and is of many."""
_NOW = re.compile(
    r"^(ts|time|timestamp|date_?time|date|when|at|datum|zeit|zeitpunkt|moment|event_?(time|date|at)|"
    r"datum_(uhr)?zeit|year_month_day(_hour)?(_minute)?|"
    r"fecha|stichtag)$|"
    r"(^|_)(time_?stamp|zeitstempel|datum_der_anfrage|(order|invoice|transaction|purchase|bestell|"
    r"erfassungs|buchungs|mess)_?(date|time|datum|zeit))(_|$)|"
    r"(^|_)(asked|request|requested|created|ordered|observed|measured|recorded|"
    r"erfasst|erstellt|angelegt|aufgenommen|gemessen|bestellt|angefragt|"
    r"cree|saisi|enregistre|creado|registrado|medido|creato|registrato)(_?(at|on|am|um|le|el|il))?$"
)
"""Of a safe name: when a row was recorded."""
_MANY = 50
"""Different values of an id that recurs, unless it is called one of persons or things."""
_FEWEST_IDS = 20
_YEAR = re.compile(r"^(year|yr|jahr|season)$", re.IGNORECASE)


def find_column(wanted: str, columns: Mapping[str, Column], option: str) -> str:
    """The source name of the column that a person means, also by its safe name.

    Raises:
        ConfigError: There is none.
    """
    if found := _meant(wanted, columns):
        return found
    column, equals, value = wanted.partition("=")
    if equals and (source := _meant(column, columns)):
        raise ConfigError(f"--{option} {wanted!r}: {_no_kind(columns[source], value)}")
    known = sorted(columns)
    shown = known if len(known) <= 30 else [*known[:30], "..."]
    hint = did_you_mean([wanted], known)
    raise ConfigError(f"--{option} {wanted!r}: no column of {shown}{hint or '; correct it'}")


def _meant(wanted: str, columns: Mapping[str, Column]) -> str | None:
    if wanted in columns:
        return wanted
    by_name = {column.name: source for source, column in columns.items()}
    alike = {source.casefold(): source for source in columns}
    return by_name.get(safe_name(wanted)) or alike.get(wanted.casefold())


def _no_kind(column: Column, value: str) -> str:
    """Why a value of a column is no kind of event that can be predicted."""
    seen = [str(one) for one in column.counts.index]
    if value not in seen:
        hint = did_you_mean([value], seen) or "; name one of them"
        return f"{column.source!r} has no value {value!r}, but {seen[:10]}{hint}"
    return (
        f"a kind of event is predicted of ids that recur, by an --entity and a --time; to predict "
        f"the column itself say --target {column.source!r} --positive {value!r}"
    )


def find_entity(
    columns: Mapping[str, Column], profiles: Mapping[str, Found], answers: Answers
) -> str | None:
    """The column that says whom a row is of; None without one.

    Raises:
        UndecidedError: Several would do.
    """
    if given := answers.given("entity"):
        return None if given == NONE else find_column(given, columns, "entity")
    named = [
        source
        for source, column in columns.items()
        if _may_identify(column, profiles[source]) and (_ID.search(source) or _WHO.search(source))
    ]
    unique = [source for source in named if _is_unique(columns[source])]
    if len(unique) == 1:
        return unique[0]
    if not unique:
        coded = [
            source
            for source, column in columns.items()
            if _may_identify(column, profiles[source])
            and _is_unique(column)
            and column.share(r"^[A-Za-z]{0,8}[-_]?[0-9A-Fa-f][-0-9A-Fa-f]{3,}$") == 1
            and profiles[source].rule in ("text", "leading_zeros")
        ]
        recurring = [s for s in named if 1 < columns[s].distinct < len(columns[s].texts)]
        recurring = [s for s in recurring if columns[s].distinct > _MANY or _WHO.search(s)]
        if len(coded or recurring) == 1:
            return (coded or recurring)[0]
        unique = coded or recurring or _numbered(columns, profiles)
    if not unique:
        return None
    choices = [*unique, NONE]
    return _none(answers.ask("entity", "whom is a prediction asked for?", unique[0], choices))


def _numbered(columns: Mapping[str, Column], profiles: Mapping[str, Found]) -> list[str]:
    """Codes with leading zeros that recur, whatever they are called but a place or a kind."""
    return [
        source
        for source, column in columns.items()
        if profiles[source].rule == "leading_zeros"
        and _may_identify(column, profiles[source])
        and column.distinct > _MANY
        and not _PLACE_OR_KIND.search(source)
    ]


def find_timestamp(
    columns: Mapping[str, Column], profiles: Mapping[str, Found], answers: Answers
) -> str | None:
    """The column that says when a row was known; None without one.

    Raises:
        ConfigError: The one that was named holds no moments.
        UndecidedError: Several would do.
    """
    given = answers.given("time")
    if given and given != NONE:
        source = find_column(given, columns, "time")
        if profiles[source].use != "moment":
            raise ConfigError(f"--time {given!r} holds no moments: {profiles[source].why}")
        return source
    if given:
        return None
    candidates = [source for source in columns if _may_be_now(columns[source], profiles[source])]
    candidates = [source for source in candidates if not is_other(source)]
    candidates = [s for s in candidates if _is_called(_NOW, s)] or candidates
    if len(candidates) <= 1:
        return next(iter(candidates), None)
    choices = [*candidates, NONE]
    said = "when was a row known, as it would be asked for?"
    return _none(answers.ask("time", said, candidates[0], choices))


def time_rivals(
    columns: Mapping[str, Column], profiles: Mapping[str, Found], chosen: str
) -> list[str]:
    """Other columns that may be the moment of a row, by what they hold and are called.

    Where the chosen one is not called so either, all of moments are, whatever they are called.
    """
    others = [
        source
        for source in columns
        if source != chosen and _may_be_now(columns[source], profiles[source])
    ]
    clear = _is_called(_NOW, chosen)
    return [source for source in others if not (clear and is_other(source))]


def gappy_id(column: Column) -> str:
    """Why an id that some rows lack is neither the entity nor a feature; empty of anything else.

    One is called so, or of persons or things, and each of its whole numbers is another one.
    """
    gaps, present = column.texts.null_count, column.present
    called = _ID.search(column.source) or _WHO.search(column.source)
    if not gaps or not called or len(present) < _FEWEST_IDS or column.distinct < len(present):
        return ""
    if column.share(r"^[0-9]{1,18}([.]0)?$") < 1:
        return ""
    rows = "row has" if gaps == 1 else "rows have"
    return (
        f"an id that {gaps} {rows} none of, so not the entity; fill in or delete those to use it, "
        f"or say --entity {column.source!r}, by which they are put aside"
    )


def _is_called(words: re.Pattern[str], source: str) -> bool:
    return words.search(safe_name(source)) is not None


def entity_contract(column: Column) -> dict[str, Any]:
    """Its type: whole numbers that fit into 64 bits, else texts."""
    whole = column.share(r"^(0|-?[1-9][0-9]{0,18})$") == 1
    fits = whole and all(-(2**63) <= int(each) < 2**63 for each in column.counts.index)
    return {"dtype": "int64" if fits else "string"}


def entity_name(column: Column) -> str:
    """Its safe name, that hides nothing in an answer."""
    return f"{column.name}_id" if column.name in ANSWER_FIELDS else column.name


def _none(answer: str) -> str | None:
    return None if answer == NONE else answer


def _is_unique(column: Column) -> bool:
    return not column.texts.null_count and column.distinct == len(column.texts)


def _may_identify(column: Column, found: Found) -> bool:
    """Whole numbers or short texts without gaps."""
    if column.texts.null_count or ROW_NUMBER.match(column.source.strip()) or found.use == "moment":
        return False
    whole = column.share(r"^-?[0-9]{1,18}$") == 1
    return whole or (
        column.share(r"^\S{1,64}$") == 1 and column.share(r"^[+-]?[0-9]*\.[0-9]+$") == 0
    )


def _may_be_now(column: Column, found: Found) -> bool:
    """Moments in every row that vary and are not to come."""
    if found.use != "moment" or found.moments is None or column.texts.null_count:
        return False
    if found.contract.get("format") == "%Y" and not _YEAR.match(column.source):
        return False
    moments = found.moments.dropna()
    # 1 % of a day's slack: a zone that is not known.
    to_come = (moments > pd.Timestamp.now(tz="UTC") + pd.Timedelta(days=1)).mean()
    return moments.min() < moments.max() and to_come < 0.01
