"""The learning curve: the same estimator on fewer rows, at a bounded cost."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.frames import Split
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training import learning_curve as module
from mlops_assets.ml.training.fit import fit, split
from mlops_assets.ml.training.learning_curve import FITTED, learning_curve
from mlops_assets.ml.training.many_rows.sampling import sampled
from tests.support.toy_models import flat_table


def settings_of(**target: Any) -> ModelSettings:
    return flat_table(
        {"a": "float64", "b": "float64", "y": "int64"},
        target={"name": "y", **target},
        training={
            "estimator": "sklearn.linear_model.LogisticRegression",
            "split": {"by": "random", "fraction": 0.25},
        },
    )


def rows(count: int, settings: ModelSettings, classes: int = 2) -> Split:
    random = np.random.default_rng(3)
    a = random.normal(size=count)
    frame = pd.DataFrame(
        {
            "id": np.arange(count),
            "event_timestamp": pd.Timestamp("2024-01-01", tz="UTC"),
            "a": a,
            "b": random.normal(size=count),
            "y": np.clip(np.round(a + random.normal(size=count) + classes / 2), 0, classes - 1),
        }
    )
    return split(frame, settings)


@pytest.mark.parametrize("count", [400, 40_000])
def test_more_rows_are_drawn_up_to_a_bound(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(task="binary")
    parts = rows(count, settings)
    fitted: list[int] = []

    def counted(train: pd.DataFrame, of: ModelSettings) -> Any:
        fitted.append(len(sampled(train, of).rows))
        return fit(train, of)

    monkeypatch.setattr(module, "fit", counted)
    held_out = Scored.of(fit(parts.train, settings), parts.test, settings)
    found = learning_curve(held_out, parts, settings)

    assert [point.rows for point in found] == [*fitted, len(parts.train)]
    assert fitted == sorted(fitted)
    assert sum(fitted) <= min(FITTED, len(parts.train) / 2)
    if count <= 2_000:  # all of the held-out rows are judged
        actual = parts.test["y"].to_numpy()
        said = np.where(actual == 1, held_out.scores[:, 0], 1 - held_out.scores[:, 0])
        assert found[-1].loss == pytest.approx(-np.log(said).mean())


def test_few_rows_or_a_rare_class_leave_points_out_and_cost_no_version() -> None:
    settings = settings_of(task="multiclass")
    parts = rows(300, settings, classes=9)
    held_out = Scored.of(fit(parts.train, settings), parts.test, settings)
    found = learning_curve(held_out, parts, settings)
    assert found[-1].rows == len(parts.train)

    tiny = rows(40, settings_of(task="binary"))
    model = Scored.of(
        fit(tiny.train, settings_of(task="binary")), tiny.test, settings_of(task="binary")
    )
    assert [point.rows for point in learning_curve(model, tiny, settings_of(task="binary"))] == [
        len(tiny.train)
    ]
