"""Which categories a fitted pipeline knows."""

import numpy as np
import pandas as pd
import pytest

from mlops_assets.ml.inference.categories import seen_categories
from mlops_assets.ml.training.fit import fit
from tests.support.toy_models import flat_table

TABLE = pd.DataFrame(
    {
        "id": range(40),
        "event_timestamp": pd.date_range("2024-01-01", periods=40, tz="UTC"),
        "kind": pd.Series(["b", "a", None, "10"] * 10, dtype=object),
        "code": [1.0, 7.0, np.nan, 7.0] * 10,
        "plain": np.arange(40.0),
        "y": [0, 1] * 20,
    }
)
COLUMNS = {"kind": "string", "code": "int64", "plain": "float64", "y": "int64"}
TREE = {
    "estimator": "sklearn.tree.DecisionTreeClassifier",
    "split": {"by": "random", "fraction": 0.3},
}


@pytest.mark.parametrize("one", ["one_hot", "ordinal", "target"])
@pytest.mark.parametrize("other", ["one_hot", "target"])
def test_each_encoded_feature_knows_its_values(one: str, other: str) -> None:
    encoding = {"kind": one, "code": other}
    model = fit(TABLE, flat_table(COLUMNS, encoding=encoding, training=TREE))
    assert seen_categories(model) == {"kind": ("10", "a", "b"), "code": (1.0, 7.0)}


def test_without_an_encoding_there_are_none() -> None:
    columns = {"plain": "float64", "y": "int64"}
    assert seen_categories(fit(TABLE, flat_table(columns, training=TREE))) == {}
