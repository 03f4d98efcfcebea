"""What each feature adds to an answer: known answers, and that they add up."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from mlops_assets.ml.inference.contributions import EXACT_FEATURES, Row, additive, shapley

BACKGROUND: list[Row] = [{"a": 0.0, "b": 0.0, "c": "x"}, {"a": 2.0, "b": 4.0, "c": "y"}]
ROW: Row = {"a": 3.0, "b": 1.0, "c": "y"}


def linear(rows: Sequence[Row]) -> np.ndarray:
    return np.array([2.0 * float(r["a"]) - float(r["b"]) + (r["c"] == "y") for r in rows])  # type: ignore[arg-type]


def product(rows: Sequence[Row]) -> np.ndarray:
    return np.array([float(r["a"]) * float(r["b"]) for r in rows])  # type: ignore[arg-type]


def test_of_an_additive_model_they_are_the_differences_from_the_means() -> None:
    found = additive(linear, ROW, BACKGROUND)
    assert found is not None
    assert found.expected == pytest.approx((0.0 + 1.0) / 2)
    assert found.by_feature == pytest.approx({"a": 2 * (3 - 1), "b": -(1 - 2), "c": 1 - 0.5})
    assert "exact" in found.method


def test_a_model_that_is_not_additive_is_not_taken_for_one() -> None:
    assert additive(product, ROW, BACKGROUND) is None


def test_all_sets_of_features_give_the_value_computed_by_hand() -> None:
    row, background = {"a": 3.0, "b": 1.0}, [{"a": 0.0, "b": 0.0}, {"a": 2.0, "b": 4.0}]
    found = shapley(product, row, background)
    # v({}) = 4, v({a}) = 3 * 2 = 6, v({b}) = 1 * 1 = 1, v({a, b}) = 3
    assert found.expected == 4
    assert found.by_feature == pytest.approx({"a": (2 + 2) / 2, "b": (-3 - 3) / 2})
    assert "all 4 sets" in found.method


def test_it_equals_the_additive_answer_where_there_is_one() -> None:
    exact = additive(linear, ROW, BACKGROUND)
    assert exact is not None
    assert shapley(linear, ROW, BACKGROUND).by_feature == pytest.approx(exact.by_feature)


def test_with_many_features_drawn_orders_add_up_and_are_repeatable() -> None:
    names = [f"f{i}" for i in range(EXACT_FEATURES + 2)]
    row: Row = {name: float(i) for i, name in enumerate(names)}
    background: list[Row] = [dict.fromkeys(names, 0.0), dict.fromkeys(names, 1.0)]

    def answers(rows: Sequence[Row]) -> np.ndarray:
        return np.array([math.prod(float(r[n]) + 1 for n in names[:3]) for r in rows])  # type: ignore[arg-type]

    found = shapley(answers, row, background)
    assert found == shapley(answers, row, background)
    assert "estimated" in found.method
    assert found.expected + sum(found.by_feature.values()) == pytest.approx(answers([row])[0])
    assert found.by_feature["f9"] == 0


def test_a_missing_value_is_a_value() -> None:
    def answers(rows: Sequence[Row]) -> np.ndarray:
        return np.array([1.0 if r["a"] is None else 0.0 for r in rows])

    found = shapley(answers, {"a": None}, [{"a": 1.0}])
    assert found.by_feature == {"a": 1.0}
