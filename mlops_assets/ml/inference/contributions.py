"""What each feature adds to one answer, beside the mean answer over a background of other rows.

Shapley values with the features that are not known taken from the background (Strumbelj and
Kononenko 2014, Knowledge and Information Systems 41: 647-665). Of a model that is additive in its
features, as a linear one is on the scale of its decision function, those are what changes when one
feature alone is taken from the background; that they add up beside each of its rows shows that it
is so.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

Row = Mapping[str, float | str | None]
Answers = Callable[[Sequence[Row]], np.ndarray]
"""Rows -> one number each."""

SOURCE = "Strumbelj and Kononenko 2014, Knowledge and Information Systems 41: 647-665"
EXACT_FEATURES = 8
"""With so many all 2^n sets are asked; with more, orders of the features are drawn."""
ORDERS = 200
_ADDITIVE = 1e-9


@dataclass(frozen=True)
class Contributions:
    """They and `expected` add up to the answer for the row."""

    expected: float
    """Mean answer over the background."""
    by_feature: dict[str, float]
    method: str


def additive(answers: Answers, row: Row, background: Sequence[Row]) -> Contributions | None:
    """Exact contributions of a model that is additive in its features; None if it is not.

    Args:
        answers: On the scale on which they may add up.
        row: Whose answer is explained.
        background: Rows to compare with, at least one.
    """
    answer, others = float(answers([row])[0]), answers(background)
    changed = {
        name: answer - answers([{**row, name: other[name]} for other in background]) for name in row
    }
    rest = np.sum(list(changed.values()), axis=0) - (answer - others)
    if np.abs(rest).max() > _ADDITIVE * max(1.0, abs(answer), np.abs(others).max()):
        return None
    said = f"exact, since the model is additive in its features: Shapley values ({SOURCE})"
    by_feature = {name: float(each.mean()) for name, each in changed.items()}
    return Contributions(float(others.mean()), by_feature, said)


def shapley(answers: Answers, row: Row, background: Sequence[Row], seed: int = 0) -> Contributions:
    """Shapley values of any model: of all sets of features, or by orders that are drawn.

    Args:
        answers: What is explained.
        row: Whose answer is explained.
        background: Rows to compare with, at least one.
        seed: Of the orders that are drawn, where there are many features.
    """
    names, known = tuple(row), dict[frozenset[str], float]()

    def value(of: frozenset[str]) -> float:
        if of not in known:
            mixed = [{**other, **{name: row[name] for name in of}} for other in background]
            known[of] = float(answers(mixed).mean())
        return known[of]

    if len(names) <= EXACT_FEATURES:
        by_feature = {name: _over_all_sets(name, names, value) for name in names}
        how = f"over all {2 ** len(names)} sets of features"
    else:
        by_feature = _over_orders(names, value, seed)
        how = f"estimated by {ORDERS} random orders of the features, each also backwards"
    return Contributions(value(frozenset()), by_feature, f"Shapley values ({SOURCE}), {how}")


def _over_all_sets(
    name: str, names: Sequence[str], value: Callable[[frozenset[str]], float]
) -> float:
    others, total = [each for each in names if each != name], 0.0
    for size in range(len(names)):
        weight = 1 / (len(names) * math.comb(len(others), size))
        for chosen in map(frozenset, combinations(others, size)):
            total += weight * (value(chosen | {name}) - value(chosen))
    return total


def _over_orders(
    names: Sequence[str], value: Callable[[frozenset[str]], float], seed: int
) -> dict[str, float]:
    draw, total = np.random.default_rng(seed), dict.fromkeys(names, 0.0)
    for _ in range(ORDERS):
        drawn = [names[place] for place in draw.permutation(len(names))]
        for order in (drawn, drawn[::-1]):
            chosen, before = frozenset[str](), value(frozenset())
            for name in order:
                chosen |= {name}
                after = value(chosen)
                total[name] += (after - before) / (2 * ORDERS)
                before = after
    return total
