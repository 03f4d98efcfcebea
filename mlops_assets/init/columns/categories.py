"""Columns of few values, each of them a kind: texts that recur, and numbers that are codes."""

import re
from typing import Any

import pandas as pd

from mlops_assets.init.columns.found import Found
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.column import Column

ONE_HOT_BELOW = 20
_NEAR_UNIQUE = 0.5
_FEW_CODES = 12
_STABLE = 0.01
_LEADING_ZERO = r"^0[0-9]+$"
_CODE = re.compile(
    r"code|typ|kind|class|klasse|zip|plz|postal|categor|kategorie|group|gruppe|region|district|"
    r"store|channel|sku|segment|cluster|(^|[ _])(id|nr|no)[.]?$",
    re.IGNORECASE,
)


def leading_zeros(column: Column, answers: Answers) -> Found | None:
    """Digits whose leading zeros count: a code, not a number."""
    if column.share(r"^[0-9]+$") < 1 or column.share(_LEADING_ZERO) < 0.01:
        return None
    return _category(column, "leading_zeros", "digits with leading zeros, so a code")


def category(column: Column, answers: Answers) -> Found | None:
    """Texts that recur."""
    distinct, rows = column.distinct, len(column.present)
    if distinct > max(ONE_HOT_BELOW, _NEAR_UNIQUE * rows) or distinct > 0.9 * rows:
        return None
    return _category(column, "category", f"{distinct} texts that recur")


def _category(column: Column, rule: str, said: str) -> Found:
    counts = column.counts
    contract: dict[str, Any] = {"dtype": "string"}
    stable = column.whole or counts.min() >= _STABLE * len(column.present)
    if len(counts) <= _FEW_CODES and stable and counts.min() >= 5:
        contract["allowed"] = sorted(counts.index)
    encoding = "one_hot" if len(counts) < ONE_HOT_BELOW else "target"
    return Found(rule, said, contract=contract, encoding=encoding)


def code_of(column: Column, numbers: pd.Series) -> Found | None:
    """A category written in numbers: few, and called a code, a kind, a class, an id."""
    values = numbers.dropna().unique()
    if len(values) <= 2 or len(values) > ONE_HOT_BELOW or not _CODE.search(column.source):
        return None
    if len(numbers) < 10 * len(values):
        return None
    said = f"{len(values)} whole numbers that are called a code"
    contract = {"dtype": "int64"}
    return Found("code", said, contract=contract, encoding="one_hot", numbers=numbers, likely=True)
