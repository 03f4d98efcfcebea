"""`training.spark_workers`: what it does not go with is said before anything is trained."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.engines.spark import SparkEngine
from mlops_assets.engines.spark_trees import SparkTrees
from mlops_assets.errors import ConfigError, EngineError, TrainingError
from mlops_assets.ml.training.fit import build_pipeline
from mlops_assets.ml.training.many_rows.growing import Growth, grown_here
from resources.engine import FeatureEngine
from tests.support.toy_models import flat_table


def model(task: str = "binary", **training: Any) -> ModelSettings:
    kind = "XGBRegressor" if task == "regression" else "XGBClassifier"
    given = {"estimator": f"xgboost.{kind}", "external_memory": True, "spark_workers": 2}
    split = {"by": "random", "fraction": 0.3}
    columns = {"x": "float64", "y": "float64"}
    return flat_table(
        columns, target={"task": task}, training={"split": split, **given, **training}
    )


@pytest.mark.parametrize(
    "training",
    [{"external_memory": False}, {"sample": {"rows": 100}}],
    ids=["rows in memory", "a sample"],
)
def test_it_needs_rows_in_their_file(training: dict[str, Any]) -> None:
    said = r"training.spark_workers needs training.external_memory: true, and no training.sample"
    with pytest.raises(ValidationError, match=said):
        model(**training)


@pytest.mark.parametrize("workers", [0, -1])
def test_it_needs_somebody(workers: int) -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        model(spark_workers=workers)


@pytest.mark.parametrize(
    "params",
    [
        {"booster": "dart"},
        {"objective": "binary:hinge"},
        {"num_parallel_tree": 4},
        {"device": "cuda"},
    ],
    ids=lambda params: next(iter(params)),
)
def test_what_xgboost_does_not_train_on_spark_is_one_sentence(params: dict[str, Any]) -> None:
    ((name, value),) = params.items()
    said = (
        rf"^xgboost.XGBClassifier with {name}: {value} is not trained on Spark; remove that from "
        "training.params, or training.spark_workers$"
    )
    with pytest.raises(TrainingError, match=said):
        build_pipeline(model(params=params))
    build_pipeline(model(params=params, spark_workers=None))


def test_a_regressor_has_its_objective() -> None:
    build_pipeline(model("regression", params={"objective": "reg:absoluteerror"}))


@pytest.mark.parametrize("url", ["arrays", "auto", "duckdb://"])
def test_an_engine_that_is_no_spark_is_refused(url: str, tmp_path: Path) -> None:
    engine = FeatureEngine(url=url, spill=str(tmp_path))
    said = f"needs a Spark, and MLOPS_ENGINE={url} is none; set spark://HOST:PORT, or remove"
    with pytest.raises(ConfigError, match=said):
        engine.growing(model())
    assert engine.growing(model(spark_workers=None)) is grown_here


def test_an_address_with_a_password_is_refused_without_it(tmp_path: Path) -> None:
    engine = FeatureEngine(url="postgresql://ada:s3cret@db/shop", spill=str(tmp_path))
    with pytest.raises(ConfigError, match=r"MLOPS_ENGINE=postgresql://ada:\*\*\*@db/shop is none"):
        engine.growing(model())


def test_spark_connect_is_refused(tmp_path: Path) -> None:
    trees = SparkTrees(SparkEngine("sc://127.0.0.1:15002"), 2)
    with pytest.raises(EngineError, match=r"not trained by Spark Connect \(sc://127.0.0.1:15002\)"):
        trees.grow(Growth(None, {}, lambda: iter(()), tmp_path))


def test_a_model_without_it_is_not_stale() -> None:
    assert "spark_workers" not in model(spark_workers=None).training.model_dump_json()
