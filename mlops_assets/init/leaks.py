"""Features that give the target away, are known only after it, or repeat another column.

Nothing is learnt here but ranks: how well one column alone orders or tells the target.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Task

GIVES_AWAY = 0.995
"""The area under the curve above which one column alone is suspect."""
_SCORE = re.compile(
    r"^(y_?)?(pred|predicted|prediction|proba|probability|yhat|y_hat)(_|$)|_(pred|proba|prediction)$",
    re.IGNORECASE,
)
_FEWEST = 50
_FEWEST_FILLED = 20
_BY_CHANCE = 1e-6
"""How likely it may be that the rows with a value are of one class by chance."""


class Leak(NamedTuple):
    """A column that should not be a feature."""

    rule: str
    why: str
    sure: bool


def find_leaks(features: Mapping[str, pd.Series], target: pd.Series, task: Task) -> dict[str, Leak]:
    """Suspects among the features, by name.

    Args:
        features: Source name -> numbers (of a date its age), or texts; NaN or None without a value.
        target: Numbers of a binary target or a regression, texts of classes; of the same rows.
        task: Of the model.
    """
    known = target.notna()
    wanted = target[known]
    found = {}
    for source, values in features.items():
        if leak := _leak(source, values[known], wanted, task):
            found[source] = leak
    return found


def find_copies(columns: Mapping[str, pd.Series]) -> dict[str, str]:
    """Column -> an earlier one of which it is a copy, value by value."""
    seen: dict[int, str] = {}
    found = {}
    for source, values in columns.items():
        digest = int(pd.util.hash_pandas_object(values.fillna(_gap(values)), index=False).sum())
        digest ^= int(values.isna().sum())
        if digest in seen and columns[seen[digest]].equals(values):
            found[source] = seen[digest]
        seen.setdefault(digest, source)
    return found


def _leak(source: str, values: pd.Series, target: pd.Series, task: Task) -> Leak | None:
    if len(target) < _FEWEST:
        return None
    if task != "regression" and _is_copy(values, target):
        return Leak("copy", "is a copy of the target", sure=True)
    if _SCORE.search(source):
        return Leak("score", "is called as the score of an earlier model", sure=True)
    return (
        _of_numbers(values, target) if task == "regression" else _of_classes(values, target, task)
    )


def _of_numbers(values: pd.Series, target: pd.Series) -> Leak | None:
    alone = abs(values.corr(target)) if values.dtype != object else 0.0
    said = f"alone gives the target away (correlation {alone:.4f})"
    return Leak("gives_away", said, sure=False) if alone > 0.9995 else None


def _of_classes(values: pd.Series, target: pd.Series, task: Task) -> Leak | None:
    one_hot = [target] if task == "binary" else [(target == name) for name in target.unique()]
    only = max(_auc(values.isna().astype(float), one) for one in one_hot)
    if only > GIVES_AWAY or _is_of_one_class(values, target):
        said = "has a value for one class only, so it is known only after the outcome"
        return Leak("known_after", said, sure=only > GIVES_AWAY)
    alone = min(_auc(_as_numbers(values, one), one) for one in one_hot)
    if alone > GIVES_AWAY:
        return Leak("gives_away", f"alone gives the target away (AUC {alone:.4f})", sure=False)
    return None


def _is_of_one_class(values: pd.Series, target: pd.Series) -> bool:
    """Whether the rows that have a value, if not all, are of one class, and not by chance."""
    filled = target[values.notna()]
    if not _FEWEST_FILLED <= len(filled) < len(target) or (filled != filled.iloc[0]).any():
        return False
    share = float((target == filled.iloc[0]).mean())
    return share ** len(filled) < _BY_CHANCE


def _is_copy(values: pd.Series, target: pd.Series) -> bool:
    """Whether each value stands for one target, and each target for one value."""
    codes, names = pd.factorize(values)
    others, classes = pd.factorize(target)
    if len(names) != len(classes) or (codes < 0).any():
        return False
    pairs = len(np.unique(codes.astype(np.int64) * len(classes) + others))
    return pairs == len(classes)


def _as_numbers(values: pd.Series, target: pd.Series) -> pd.Series:
    """Numbers as they are; of texts how often the target is seen with it, in the other half."""
    if values.dtype != object:
        return values.fillna(values.median() if values.notna().any() else 0.0)
    half = np.random.default_rng(0).random(len(values)) < 0.5  # rows may alternate
    known = target.astype(float)
    first, second = (known[part].groupby(values[part]).mean() for part in (half, ~half))
    guess = values.map(second).where(half, values.map(first))
    return guess.astype(float).fillna(known.mean())


def _auc(values: pd.Series, target: pd.Series) -> float:
    """The area under the curve of one column, whichever way it points."""
    positive = target.astype(float).to_numpy() == 1
    if not positive.any() or positive.all():
        return 0.5
    ranks = values.rank().to_numpy()
    above = ranks[positive].mean() - (positive.sum() + 1) / 2
    area = above / (~positive).sum()
    return float(max(area, 1 - area))


def _gap(values: pd.Series) -> object:
    return "" if values.dtype == object else 0.0
