"""One input frame for training and serving, and the shape of scores."""

import math

import numpy as np
import pandas as pd
import pytest

from mlops_assets.errors import FeatureError, TrainingError
from mlops_assets.ml.frames import feature_frame, select_features
from mlops_assets.ml.inference.scoring import Scored, score

DTYPES = {"carrier": "string", "distance": "float64", "late": "float64"}


class Classifier:
    """Says the same three probabilities for every row."""

    def predict_proba(self, features):
        return np.tile(np.array([0.2, 0.3, 0.5], dtype=np.float32), (len(features), 1))


class Regressor:
    """Doubles the only column."""

    def predict(self, features):
        return features.iloc[:, 0].to_numpy() * 2


def test_columns_stand_in_the_order_of_the_dtypes_whatever_the_rows_say():
    frame = feature_frame([{"late": 1, "extra": 9, "distance": 2, "carrier": "AA"}], DTYPES)
    assert list(frame.columns) == ["carrier", "distance", "late"]
    assert frame.dtypes.astype(str).tolist() == ["object", "float64", "float64"]
    assert frame.iloc[0].tolist() == ["AA", 2.0, 1.0]


def test_everything_missing_is_nan():
    frame = feature_frame(
        [
            {"carrier": None, "distance": None, "late": math.nan},
            {"carrier": math.nan, "distance": 1, "late": True},
        ],
        DTYPES,
    )
    assert all(isinstance(value, float) and math.isnan(value) for value in frame["carrier"])
    assert np.isnan(frame["distance"][0])
    assert np.isnan(frame["late"][0])
    assert frame["late"][1] == 1.0


def test_no_rows_make_an_empty_frame_with_the_columns():
    frame = feature_frame([], DTYPES)
    assert frame.shape == (0, 3)
    assert frame.dtypes.astype(str).tolist() == ["object", "float64", "float64"]


def test_a_missing_key_and_a_text_for_a_number_are_refused():
    with pytest.raises(FeatureError, match="no feature 'late'"):
        feature_frame([{"carrier": "AA", "distance": 1}], DTYPES)
    with pytest.raises(FeatureError, match="'distance' is a number"):
        feature_frame([{"carrier": "AA", "distance": "far", "late": 0}], DTYPES)


@pytest.mark.parametrize("text", ["object", "string", "category"])
@pytest.mark.parametrize("number", ["float64", "Float64", "object"])
def test_a_frame_of_any_dtype_gives_the_same_input_as_its_rows(text, number):
    frame = pd.DataFrame(
        {
            "late": pd.Series([1, 0, 1], dtype="int8"),
            "carrier": pd.Series(["AA", None, "UA"], dtype=text),
            "distance": pd.Series([1.5, None, 3], dtype=number),
        }
    ).set_axis([7, 3, 5])
    rows = [
        {"carrier": "AA", "distance": 1.5, "late": 1},
        {"carrier": None, "distance": None, "late": 0},
        {"carrier": "UA", "distance": 3, "late": 1},
    ]
    pd.testing.assert_frame_equal(select_features(frame, DTYPES), feature_frame(rows, DTYPES))


def test_numbers_in_a_text_column_become_texts_on_both_ways():
    dtypes = {"code": "string"}
    selected = select_features(pd.DataFrame({"code": [1, 2]}), dtypes)
    pd.testing.assert_frame_equal(selected, feature_frame([{"code": 1}, {"code": 2}], dtypes))
    assert selected["code"].tolist() == ["1", "2"]


def test_the_frame_given_is_not_modified():
    frame = pd.DataFrame({"code": pd.Series([None, "a"], dtype="object")})
    select_features(frame, {"code": "string"})
    assert frame["code"][0] is None


def test_a_frame_without_the_column_or_with_texts_for_numbers_is_refused():
    with pytest.raises(FeatureError, match="no feature columns \\['late'\\]"):
        select_features(pd.DataFrame({"carrier": ["AA"], "distance": [1.0]}), DTYPES)
    with pytest.raises(FeatureError, match="'x' is a number"):
        select_features(pd.DataFrame({"x": ["far"]}), {"x": "float64"})


def test_scores_are_float64_of_rows_by_k():
    features = pd.DataFrame({"x": [1.0, 2.0]})
    multiclass = score(Classifier(), features, "multiclass")
    assert multiclass.shape == (2, 3)
    assert multiclass.dtype == np.float64
    binary = score(Classifier(), features, "binary")
    assert binary.shape == (2, 1)
    assert binary[:, 0] == pytest.approx([0.3, 0.3])
    regression = score(Regressor(), features, "regression")
    assert regression.tolist() == [[2.0], [4.0]]


def test_a_classifier_without_probabilities_is_refused():
    with pytest.raises(TrainingError, match="Regressor has no predict_proba"):
        score(Regressor(), pd.DataFrame({"x": [1.0]}), "binary")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, r"missing, as \['y'\] are here .* set training.impute to median, mean or zero"),
        (math.inf, r"\['y'\] are infinite; bound them by min and max"),
    ],
)
def test_rows_that_are_unlike_those_it_was_fitted_to_are_named_with_the_remedy(value, said):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [1.0, 5.0, 2.0, 6.0]})
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, [0, 0, 1, 1])
    held_out = Scored(model, rows.assign(y=[1.0, value, 2.0, 3.0]), "binary")
    with pytest.raises(TrainingError, match=f"LogisticRegression cannot score rows .*{said}"):
        held_out.scores  # noqa: B018
