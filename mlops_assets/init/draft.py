"""What is known of a table, and the draft of its YAML with the reason of each line."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pandas as pd

from mlops_assets.blocks.base import NUMBERS
from mlops_assets.errors import ConfigError
from mlops_assets.init.columns.found import Found
from mlops_assets.init.columns.kinds import profile
from mlops_assets.init.columns.parts import find_wholes
from mlops_assets.init.questions import NONE, Answers
from mlops_assets.init.reading.codes import NA, na_is_code
from mlops_assets.init.reading.column import Column
from mlops_assets.init.reading.missing import Missing, missing_texts, without
from mlops_assets.init.reading.names import safe_names
from mlops_assets.init.reading.table import Table
from mlops_assets.init.roles import find_column
from mlops_assets.init.target import Target

_LOGISTIC = {
    "estimator": "sklearn.linear_model.LogisticRegression",
    "params": {"max_iter": 1000},
    "scale": True,
    "impute": "median",
}
_RIDGE = {"estimator": "sklearn.linear_model.Ridge", "scale": True, "impute": "median"}
_TREES = "sklearn.ensemble.HistGradientBoosting"
DROPPED = "left out by --drop"
LINEAR: dict[str, dict[str, Any]] = {
    "binary": _LOGISTIC,
    "multiclass": _LOGISTIC,
    "regression": _RIDGE,
}
"""Task -> what is trained where rows are few, or trees are not shown to be better."""
TREES: dict[str, dict[str, Any]] = {
    "binary": {"estimator": f"{_TREES}Classifier"},
    "multiclass": {"estimator": f"{_TREES}Classifier"},
    "regression": {"estimator": f"{_TREES}Regressor"},
}


class Decision(NamedTuple):
    """One thing that was decided, and where it stands in the YAML."""

    place: str
    """Dotted, e.g. `target.task`."""
    said: str
    """What was decided and why, in one line."""
    likely: bool = False
    """Whether it may well be otherwise."""
    told: bool = True
    """Whether it is printed too, not only written beside its line."""


@dataclass
class Draft:
    """The attributes of a YAML while they are being found, and why each is as it is."""

    attributes: dict[str, Any] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    """Source name -> why it is no feature."""
    sample: "Profiled | None" = None
    """The rows that were looked at, and what their columns are."""

    @property
    def remarks(self) -> list[str]:
        """What was found of no column, and the option that names one."""
        keys = self.attributes
        if "entity" not in keys:
            return ["entity: none; name one by --entity COLUMN"]
        if "timestamp" in keys or "unique" in keys["contract"]:
            return []
        return [
            "entity: of each only the last row is answered by id; name --time, or another --entity"
        ]

    def decide(
        self, place: str, value: Any, said: str, *, likely: bool = False, told: bool = True
    ) -> None:
        """Set the value at a dotted place, and say why."""
        *blocks, last = place.split(".")
        block = self.attributes
        for name in blocks:
            block = block.setdefault(name, {})
        block[last] = value
        self.decisions.append(Decision(place, said, likely, told))


@dataclass(frozen=True)
class Profiled:
    """A sample, each of its columns, and what it is."""

    table: Table
    columns: Mapping[str, Column]
    found: Mapping[str, Found]
    missing: Missing
    left_out: Mapping[str, str]
    """Source name -> why it cannot be used at all."""

    @property
    def rows(self) -> int:
        """Looked at."""
        return self.table.rows

    def moments(self, source: str) -> pd.Series:
        """In UTC, NaT where there is none.

        Raises:
            ConfigError: The column holds none.
        """
        found = self.found[source]
        if found.moments is None:
            raise ConfigError(f"{source!r} holds no moments: {found.why}; name another column")
        return found.moments

    def values(self, source: str) -> pd.Series:
        """Numbers where the column has them, else texts."""
        numbers = self.found[source].numbers
        if numbers is not None:
            return numbers
        return pd.Series(self.columns[source].texts.to_pylist(), dtype=object)

    def texts(self, sources: list[str]) -> pd.DataFrame:
        """The rows as they are written, without what means no value."""
        columns = {source: self.columns[source].texts.to_pylist() for source in sources}
        return pd.DataFrame(columns, dtype=object)

    def keys(self, entity: str, timestamp: str) -> pd.DataFrame:
        """The id, as a text, and the moment of each row, by their source names."""
        ids = self.columns[entity].texts.to_pylist()
        return pd.DataFrame({entity: ids, timestamp: self.moments(timestamp)})

    def repeated(self) -> int:
        """How many rows are there again, value by value."""
        return int(self.texts(list(self.columns)).duplicated().sum())


def profiled(table: Table, answers: Answers, target: str) -> Profiled:
    """What every column of a sample is; of several that are parts of a moment, what that is.

    Raises:
        ConfigError: It has no column at all.
        UndecidedError: A column may be of two kinds.
    """
    if not table.columns:
        raise ConfigError(f"{table.source['uri']}: no column of single values: {table.nested}")
    missing = missing_texts(table.columns, answers)
    if "uri" not in table.source or table.source.get("format") == "parquet":
        missing = missing.by_column(table.columns)
    names = safe_names(table.columns)
    columns = {
        source: Column(
            source,
            names[source],
            without(texts, missing.texts(source)),
            table.whole,
            table.decimal,
            table.thousands,
            tuple(missing.of.get(source, ())),
        )
        for source, texts in table.columns.items()
    }
    found = {
        source: _with_code(profile(column, answers), column, missing)
        for source, column in columns.items()
    }
    for whole in list(find_wholes(columns, found, answers, target)):
        columns[whole.column.source], found[whole.column.source] = whole.column, whole.found
        for part in whole.gone:
            del columns[part], found[part]
    if "uri" not in table.source:
        found = {source: _with_marks(one, table) for source, one in found.items()}
    # New folders come with new values: those of today bound nothing.
    for source in found.keys() & {*table.source.get("partitions", ())}:
        contract = found[source].contract.items()
        kept = {key: value for key, value in contract if key not in ("allowed", "min", "max")}
        found[source] = replace(found[source], contract=kept)
    return Profiled(table, columns, found, missing, dict(table.nested))


def _with_code(found: Found, column: Column, missing: Missing) -> Found:
    """In doubt where `NA` is one of its codes, and nobody said that it is none."""
    if column.source in missing.of or not na_is_code(column.counts):
        return found
    option = f"--missing {f'{column.source}={NA}'!r}"
    why = f"{found.why}; {NA!r} is one of its codes, or say {option}"
    return replace(found, why=why, likely=True)


def _with_marks(found: Found, table: Table) -> Found:
    """With the marks of the table's numbers, which the source has no place for: a loader."""
    contract, marks = found.contract, {"decimal": table.decimal, "thousands": table.thousands}
    own = contract.get("dtype") not in NUMBERS or contract.keys() & marks.keys()
    if own or (table.decimal, table.thousands) == (".", None):
        return found
    given = {name: mark for name, mark in marks.items() if mark}
    return replace(found, contract={**contract, **given})


def contract_of(column: Column, contract: dict[str, Any]) -> dict[str, Any]:
    """A column's contract as it stands in the YAML, with the source's name where it differs."""
    source = list(column.parts) or column.source
    named = {} if source == column.name else {"from": source}
    missing = {"missing": list(column.missing)} if column.missing else {}
    return {**named, **contract, **missing}


def target_contract(contract: dict[str, Any], target: Target) -> dict[str, Any]:
    """That of the column, without bounds: an outcome is not refused for being extreme."""
    kept = {k: v for k, v in contract.items() if k not in ("min", "max", "allowed")}
    flagged = target.positive is not None or target.why == "0 or 1"
    if flagged and kept["dtype"] != "bool":
        texts = kept["dtype"] == "string"
        kept["allowed"] = sorted((k if texts else _number(k) for k in target.counts or {}), key=str)
    return kept


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


def named_columns(table: Profiled, answers: Answers, option: str) -> set[str]:
    """Source names of the columns that an option lists, by either of their names."""
    given = {one for one in answers.given(option).split(",") if one not in ("", NONE)}
    return {find_column(one, table.columns, option) for one in given - set(table.left_out)}
