"""Pictures of an evaluation: PNG files of a small size, for every task and for few rows."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mlops_assets.errors import EvaluationError
from mlops_assets.ml.monitoring.profiles import profile_reference
from mlops_assets.ml.plots.drift import columns_plot
from mlops_assets.ml.plots.evaluation import confusion_shares, evaluation_plots

MOST_BYTES = 20_000
"""Of a picture: Dagster's event log keeps it for ever."""
CASES = {
    "binary": {"calibration", "roc", "precision_recall"},
    "multiclass": {"confusion"},
    "regression": {"residuals"},
}


def example(task, rows):
    random = np.random.default_rng(0)
    if task == "multiclass":
        scores = random.dirichlet([1, 1, 1], rows)
        return scores, np.array(["ant", "bee", "cat"])[np.arange(rows) % 3]
    if task == "binary":
        scores = random.random((rows, 1))
        return scores, np.arange(rows) % 2
    actual = random.normal(0, 10, rows)
    return (actual + random.normal(0, 10, rows))[:, None], actual


@pytest.mark.parametrize("task", CASES)
def test_pictures_decode_and_are_small_whatever_the_number_of_rows(task):
    for rows in (4, 60_000):
        scores, actual = example(task, rows)
        plots = evaluation_plots(scores, pd.Series(actual), task)
        assert set(plots) == CASES[task]
        for png in plots.values():
            assert len(png) <= MOST_BYTES
            image = Image.open(io.BytesIO(png))
            image.load()
            assert image.format == "PNG"
            assert len(image.getcolors(100_000)) > 20  # something was drawn


def test_a_model_that_always_says_the_same_is_drawn():
    scores = np.full((5, 1), 0.5)
    assert evaluation_plots(scores, np.array([0.0, 1, 0, 1, 1]), "binary")
    assert evaluation_plots(scores, np.full(5, 0.5), "regression")


def test_equal_scores_give_equal_bytes():
    scores, actual = example("binary", 100)
    assert evaluation_plots(scores, actual, "binary") == evaluation_plots(scores, actual, "binary")


def test_many_classes_are_drawn_without_numbers_in_the_cells():
    plots = evaluation_plots(np.eye(40), np.arange(40), "multiclass")
    assert len(plots["confusion"]) <= MOST_BYTES


HOSTILE = ["$a^$", "$5-$10", "\\frac{", "a|b", "", " ", "nan", "<b>", "x" * 500]


def test_a_class_may_be_called_anything():
    random = np.random.default_rng(0)
    names = np.array(sorted(HOSTILE), dtype=object)
    scores = random.dirichlet([1] * len(names), 50)
    found = evaluation_plots(scores, names[np.arange(50) % len(names)], "multiclass", names)
    assert Image.open(io.BytesIO(found["confusion"])).format == "PNG"


def test_a_category_may_be_called_anything():
    column = pd.DataFrame({"price": HOSTILE * 3, "prediction": 0.5})
    seen = profile_reference(column, {"price": "string"})
    assert (
        Image.open(
            io.BytesIO(columns_plot(["price"], seen, seen, {"price": "Preis $ 价格"}))
        ).format
        == "PNG"
    )


def test_rows_that_lack_a_class_need_the_models_classes():
    scores = np.array([[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]])
    with pytest.raises(EvaluationError, match="pass `classes`"):
        evaluation_plots(scores, ["ant", "bee"], "multiclass")
    plots = evaluation_plots(scores, ["ant", "bee"], "multiclass", classes=["ant", "bee", "cat"])
    assert plots["confusion"]


def test_confusion_has_actual_classes_as_rows_in_the_models_order():
    scores = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.3, 0.7, 0]])
    shares = confusion_shares(
        scores, np.array(["bee", "bee", "ant"]), np.array(["bee", "ant", "x"])
    )
    assert shares.tolist() == [[0.5, 0.5, 0], [0, 1, 0], [0, 0, 0]]


def test_one_class_only_is_refused():
    with pytest.raises(EvaluationError, match="one class only"):
        evaluation_plots(np.array([[0.1], [0.2]]), [0, 0], "binary")


def test_pyplot_keeps_no_figure():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    evaluation_plots(*example("binary", 50), "binary")
    assert plt.get_fignums() == before
