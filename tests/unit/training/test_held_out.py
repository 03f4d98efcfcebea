"""A random split: the same in every table, as many of each class in both parts, entities whole."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.training.fit import split
from mlops_assets.ml.training.held_out import places

ROWS = 2_000


def model(**changes: Any) -> ModelSettings:
    yaml: dict[str, Any] = {
        "name": "m",
        "source": {"uri": "x.csv"},
        "contract": {
            "columns": {
                "who": {"dtype": "int64"},
                "x": {"dtype": "float64"},
                "kind": {"dtype": "string"},
                "y": {"dtype": "int64"},
            }
        },
        "processing": {"categorical_encoding": ["kind"]},
        "features": {"columns": ["x", "kind"], "ttl": "1d"},
        "target": {"name": "y", "task": "binary"},
        "training": {"seed": 3},
        "evaluation": {"primary": "roc_auc"},
        "deployment": {"port": 18200},
    }
    return ModelSettings.model_validate(yaml | changes)


WITH_IDS = model(entity={"name": "who"})
REGRESSION = model(target={"name": "y", "task": "regression"}, evaluation={"primary": "rmse"})


def table(*, positive: float = 0.5, rows: int = ROWS) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "row": np.arange(rows),
            "who": rng.integers(0, rows // 3, rows),
            TIMESTAMP: pd.Timestamp("2026-01-01", tz="UTC"),
            "x": rng.normal(size=rows).round(1),
            "kind": rng.choice(["a", "b"], rows),
            "y": (rng.uniform(size=rows) < positive).astype(int),
        }
    )


@pytest.mark.parametrize("settings", [model(), REGRESSION], ids=["classes", "regression"])
def test_the_default_holds_out_a_fifth(settings: ModelSettings) -> None:
    parts = split(table(), settings)
    assert len(parts.test) == pytest.approx(ROWS / 5, abs=1)
    assert sorted([*parts.train["row"], *parts.test["row"]]) == list(range(ROWS))


@pytest.mark.parametrize("positive", [0.5, 0.02, 0.003])
def test_each_class_is_as_frequent_in_both_parts(positive: float) -> None:
    rows = table(positive=positive)
    parts = split(rows, model())
    assert parts.test["y"].sum() == pytest.approx(rows["y"].sum() / 5, abs=0.5)


def test_an_entity_is_whole_and_counts_as_the_rarest_of_its_classes() -> None:
    rows = table(positive=0.02)
    parts = split(rows, WITH_IDS)
    assert not set(parts.train["who"]) & set(parts.test["who"])
    ever = rows.loc[rows["y"] == 1, "who"].nunique()
    assert parts.test.loc[parts.test["y"] == 1, "who"].nunique() == pytest.approx(ever / 5, abs=0.5)


@pytest.mark.parametrize("settings", [model(), WITH_IDS, REGRESSION], ids=["rows", "ids", "values"])
def test_what_was_held_out_stays_so_when_rows_come_and_go(settings: ModelSettings) -> None:
    rows = table().assign(x=lambda frame: frame["x"] + frame["row"] / 1e6)
    later = rows.iloc[100:].assign(row=lambda frame: np.arange(len(frame)))
    before, after = places(rows, settings)[100:] < 0.2, places(later, settings) < 0.2
    assert (before != after).mean() < 0.02, "of 20 %; drawn anew it would be 32 %"


def test_another_seed_holds_out_others() -> None:
    rows, other = table(), model(training={"seed": 2**32 - 1})
    chosen, others = places(rows, model()) < 0.2, places(rows, other) < 0.2
    assert (chosen & others).mean() == pytest.approx(0.04, abs=0.02)


def test_rows_that_are_all_alike_are_shared_out_too() -> None:
    rows = table().assign(x=1.0, kind="a", y=lambda frame: frame["row"] % 2)
    assert len(split(rows, model()).test) == ROWS / 5


def test_a_class_of_one_row_is_learnt() -> None:
    rows = table().assign(y=lambda frame: (frame["row"] == 7).astype(int))
    assert split(rows, model()).train["y"].sum() == 1
