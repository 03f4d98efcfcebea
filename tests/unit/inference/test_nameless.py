"""A pipeline without column names scores arrays as it scored frames, to the last bit."""

import copy
from typing import Any

import numpy as np
import pytest

from mlops_assets.ml.frames import feature_frame
from mlops_assets.ml.inference.nameless import feature_array, forget_names, needs_names
from mlops_assets.ml.inference.scoring import score
from mlops_assets.ml.training.fit import fit
from tests.support.toy_models import flat_table
from tests.unit.export.test_onnx import COLUMNS, table

NEAR = {"estimator": "sklearn.neighbors.KNeighborsClassifier"}
BOOSTER = {"estimator": "lightgbm.LGBMClassifier", "params": {"n_estimators": 2}}
ENCODING = {"item": "one_hot", "shop": "target"}


class Named:
    """An estimator of the user's own, which may look at the columns."""


def fitted(columns: dict[str, str], encoding: dict[str, str], **training: Any) -> Any:
    settings = flat_table(
        columns | {"y": "float64"},
        encoding=encoding,
        target={"task": "binary", "column": "y"},
        training={"split": {"by": "random", "fraction": 0.3}, **training},
    )
    return fit(table("binary", nulls=training.get("impute", "none") != "none"), settings)


@pytest.mark.parametrize(
    ("columns", "encoding"), [(COLUMNS, ENCODING), ({"spend": "float64", "age": "float64"}, {})]
)
@pytest.mark.parametrize("impute", ["none", "median", "zero"])
@pytest.mark.parametrize("scale", [True, False])
def test_arrays_score_as_frames(
    columns: dict[str, str], encoding: dict[str, str], impute: str, scale: bool
) -> None:
    model = "sklearn.neighbors.KNeighborsClassifier"
    pipeline = fitted(columns, encoding, estimator=model, impute=impute, scale=scale)
    rows: list[dict[str, Any]] = table("binary", nulls=False).head(50).to_dict("records")
    if impute != "none":
        rows += [rows[0] | {name: None} for name in columns]
    rows += [rows[0] | {name: "never seen"} for name in encoding]
    expected = score(pipeline, feature_frame(rows, columns), "binary")

    assert not needs_names(pipeline)
    forget_names(pipeline)

    assert np.array_equal(score(pipeline, feature_array(rows, columns), "binary"), expected)


@pytest.mark.parametrize(
    ("estimator", "params", "named"),
    [
        (
            "sklearn.ensemble.VotingClassifier",
            {"estimators": [["one", NEAR], ["two", NEAR]]},
            False,
        ),
        ("sklearn.calibration.CalibratedClassifierCV", {"estimator": NEAR, "cv": 2}, False),
        ("sklearn.ensemble.BaggingClassifier", {"estimator": NEAR, "n_estimators": 3}, False),
        ("sklearn.pipeline.Pipeline", {"steps": [["only", NEAR]]}, False),
        ("sklearn.ensemble.BaggingClassifier", {"estimator": BOOSTER, "n_estimators": 2}, True),
    ],
)
def test_names_are_forgotten_in_estimators_inside_others(
    estimator: str, params: dict[str, Any], named: bool
) -> None:
    columns = {"spend": "float64", "age": "float64"}
    soft = {"voting": "soft"} if "Voting" in estimator else {}
    pipeline = fitted(columns, {}, estimator=estimator, params={**params, **soft})
    rows = table("binary", nulls=False).head(20).to_dict("records")
    expected = score(pipeline, feature_frame(rows, columns), "binary")

    assert needs_names(pipeline) == named
    if not named:
        forget_names(pipeline)
        assert np.array_equal(score(pipeline, feature_array(rows, columns), "binary"), expected)


def test_what_may_look_at_names_keeps_them() -> None:
    pipeline = fitted(COLUMNS, ENCODING)
    by_user, by_slice = copy.deepcopy(pipeline), copy.deepcopy(pipeline)
    by_user.steps[-1] = ("model", Named())
    ((label, each, _), *others) = by_slice.steps[0][1].transformers_
    by_slice.steps[0][1].transformers_ = [(label, each, slice(0, 1)), *others]

    assert [needs_names(each) for each in (pipeline, by_user, by_slice)] == [False, True, True]
