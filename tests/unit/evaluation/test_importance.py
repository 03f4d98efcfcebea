"""Permutation importance: it finds the feature that the model looks at, and never costs much."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.evaluation.importance import ASKED, permutation_importance
from mlops_assets.ml.inference.scoring import Scored


class Counting:
    """Answers by `told` alone, and counts the rows that it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        self.asked += len(features)
        return features["told"].to_numpy(dtype=np.float64)


def table(rows: int, others: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    values = {f"other_{n}": random.normal(size=rows) for n in range(others)}
    return pd.DataFrame({**values, "told": random.normal(size=rows)})


def test_what_the_model_looks_at_comes_first_and_the_rest_adds_nothing() -> None:
    rows = table(500, 3)
    first, *rest = permutation_importance(Scored(Counting(), rows, "regression"), rows["told"], 0)
    assert first.feature == "told"
    # Shuffled, the squared error is that of two independent draws: twice the variance.
    assert first.added_loss == pytest.approx(2 * rows["told"].var(), rel=0.1)
    assert [one.added_loss for one in rest] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(("rows", "others"), [(5_000, 0), (5_000, 9), (200, 400), (3, 2)])
def test_it_asks_a_bounded_number_of_rows_and_twice_the_same(rows: int, others: int) -> None:
    model, frame = Counting(), table(rows, others)
    held_out = Scored(model, frame, "regression")
    held_out.scores.shape  # noqa: B018  # asked by the evaluation anyway
    model.asked = 0
    found = permutation_importance(held_out, frame["told"], 7)
    assert 0 < model.asked <= ASKED
    assert found == permutation_importance(held_out, frame["told"], 7)
