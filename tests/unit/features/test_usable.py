"""Features that no model can learn from."""

import numpy as np
import pandas as pd

from mlops_assets.ml.features.usable import useless_features
from tests.support.toy_models import flat_table

DTYPES = {"gaps": "float64", "same": "float64", "void": "float64", "t": "string", "none": "string"}


def test_empty_and_constant_features_are_named_with_the_remedy():
    frame = pd.DataFrame(
        {
            "gaps": [1.0, np.nan],  # whether it is there tells something
            "same": [2.0, 2.0],
            "void": [np.nan, np.nan],
            "t": ["a", "b"],
            "none": pd.Series([None, None], dtype=object),
        }
    )
    encoding = {"t": "one_hot", "none": "one_hot"}
    found = useless_features(frame, flat_table(DTYPES | {"y": "int64"}, encoding=encoding))
    assert found.empty == ("void", "none")
    assert found.constant == ("same",)
    assert "['void', 'none'] have no value in any row; remove them from `features`" in found.said
    assert "['same'] have one value in all rows" in found.said


def test_features_that_tell_something_need_no_words():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    table = flat_table({"a": "float64", "b": "string", "y": "int64"}, encoding={"b": "one_hot"})
    found = useless_features(frame, table)
    assert found == ((), ())
    assert not found.said
