"""What a stage alone is given by a slip is said by the name of the argument."""

from datetime import datetime
from typing import Any

import pandas as pd
import pytest

from mlops_assets.errors import ConfigError
from mlops_assets.parts.data_processor import DataProcessor
from mlops_assets.parts.feature_engineer import FeatureEngineer
from mlops_assets.parts.model_evaluator import ModelEvaluator
from mlops_assets.parts.model_trainer import ModelTrainer

ROWS = pd.DataFrame({"age": [20, 30, 40], "leaves": [0, 1, 0]})
FEATURES, TARGET = {"columns": ["age"]}, {"name": "leaves", "task": "binary"}
CONTRACT = {"columns": {"age": {"dtype": "int64"}}, "extra_columns": "drop"}
NAIVE: Any = datetime(2026, 1, 1)  # noqa: DTZ001  as somebody may give it


@pytest.mark.parametrize("rows", [None, [1, 2], {"age": 1}])
@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (DataProcessor({}), "frame"),
        (FeatureEngineer(FEATURES, TARGET), "rows"),
        (ModelTrainer({"estimator": "sklearn.linear_model.Ridge"}, TARGET), "features"),
    ],
)
def test_what_is_no_frame(stage: Any, name: str, rows: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: a {type(rows).__name__}; pass a pandas"):
        stage.run(rows)


@pytest.mark.parametrize("block", [None, "drop", ["a"]])
def test_what_is_no_block(block: Any) -> None:
    with pytest.raises(ConfigError, match="is no block of a YAML; pass a mapping"):
        DataProcessor(block).run(ROWS)


def test_features_that_are_none() -> None:
    with pytest.raises(ConfigError, match="features: Field required"):
        FeatureEngineer(None, TARGET).run(ROWS)


@pytest.mark.parametrize("now", ["2026-01-01", NAIVE])
def test_a_moment_without_a_zone(now: Any) -> None:
    with pytest.raises(ConfigError, match=r"now: .* is no datetime with a zone; pass e.g."):
        DataProcessor({}, CONTRACT).run(ROWS, now)
    with pytest.raises(ConfigError, match=r"now: .* is no datetime with a zone; pass e.g."):
        FeatureEngineer(FEATURES, TARGET).run(ROWS, now)


def test_a_frame_in_place_of_a_model() -> None:
    with pytest.raises(ConfigError, match=r"trained: a DataFrame; pass what `ModelTrainer.run`"):
        ModelEvaluator({}).run(ROWS)  # ty: ignore[invalid-argument-type]
