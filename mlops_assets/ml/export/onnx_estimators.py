"""What a fitted estimator does with its matrix, as nodes of an ONNX graph.

What it refuses, a missing value or a number beyond float32, the graph answers by NaN.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlops_assets.blocks.base import Task
from mlops_assets.errors import NotExportableError
from mlops_assets.ml.export.onnx_boosters import Link, booster
from mlops_assets.ml.export.onnx_graph import Graph
from mlops_assets.ml.export.onnx_trees import Trees, boosted, forest, gradient_boosted

_LINKS: Mapping[Task, Link] = {
    "binary": "sigmoid",
    "multiclass": "softmax",
    "regression": "identity",
}
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def estimate(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    """The scores of an estimator; the name of their node.

    Raises:
        NotExportableError: It is not known here.
    """
    module, kind = type(model).__module__, type(model).__name__
    for prefix, write in _WRITERS.items():
        if f"{module}.{kind}".startswith(prefix):
            return write(graph, model, matrix, task)
    raise NotExportableError(f"the estimator {kind} has no ONNX export here")


def numeric(graph: Graph, steps: Sequence[Any], matrix: str) -> str:
    """A matrix after steps that take and give numbers.

    Raises:
        NotExportableError: One is not known here.
    """
    for step in steps:
        kind = type(step).__name__
        if kind == "SimpleImputer":
            filled = graph.constant(step.statistics_)
            matrix = graph.node("Where", graph.node("IsNaN", matrix), filled, matrix)
        elif kind == "StandardScaler":
            if step.mean_ is not None:
                matrix = graph.node("Sub", matrix, graph.constant(step.mean_))
            if step.scale_ is not None:
                matrix = graph.node("Div", matrix, graph.constant(step.scale_))
        elif not (step == "passthrough" or (kind == "FunctionTransformer" and step.func is None)):
            raise NotExportableError(f"the step {kind} has no ONNX export here")
    return matrix


def _pipeline(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    *before, last = (step for _, step in model.steps)
    return estimate(graph, last, numeric(graph, before, matrix), task)


def _voting(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    if getattr(model, "voting", "soft") != "soft":
        raise NotExportableError("a vote by classes has no ONNX export here")
    weights = model._weights_not_none or [1.0] * len(model.estimators_)
    parts = [
        graph.node(
            "Mul", estimate(graph, each, matrix, task), graph.constant(weight / sum(weights))
        )
        for each, weight in zip(model.estimators_, weights, strict=True)
    ]
    return parts[0] if len(parts) == 1 else graph.node("Sum", *parts)


def _stacking(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    wanted = "predict" if task == "regression" else "predict_proba"
    if model.passthrough or set(model.stack_method_) != {wanted}:
        raise NotExportableError("this way of stacking has no ONNX export here")
    parts = [estimate(graph, each, matrix, task) for each in model.estimators_]
    joined = parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)
    return estimate(graph, model.final_estimator_, joined, task)


def _hist_boosting(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    trees, baseline, log = boosted(model)
    raw = graph.node("Add", _sum(graph, trees, matrix), graph.constant(baseline))
    return _linked(graph, raw, "log" if log else _LINKS[task])


def _boosting(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    trees, baseline = gradient_boosted(model)
    short = _short(graph, matrix)
    raw = graph.node("Add", _sum(graph, trees, short), graph.constant(baseline))
    return _refusing(graph, _linked(graph, raw, _LINKS[task]), short)


def _booster(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    found = booster(model)
    asked = _short(graph, matrix) if found.short else matrix
    raw = graph.node("Add", _sum(graph, found.trees, asked), graph.constant(found.baseline))
    scores = _linked(graph, raw, found.link)
    return _refusing(graph, scores, asked, missing=False) if found.refuses_infinite else scores


def _linear(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    if not hasattr(model, "coef_"):
        raise NotExportableError(f"{type(model).__name__} has no ONNX export here")
    weights = graph.constant(np.atleast_2d(model.coef_).T)
    raw = graph.node("MatMul", matrix, weights)
    raw = graph.node("Add", raw, graph.constant(np.reshape(model.intercept_, (1, -1))))
    log = type(model).__name__ in ("PoissonRegressor", "GammaRegressor")
    return _linked(graph, raw, "log" if log else _LINKS[task])


def _perceptron(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    layer, last = matrix, len(model.coefs_) - 1
    for number, (weights, shift) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        layer = graph.node("MatMul", layer, graph.constant(weights))
        layer = graph.node("Add", layer, graph.constant(shift))
        operator = _ACTIVATIONS[model.activation]
        if number < last and operator:
            layer = graph.node(operator, layer)
    return _refusing(graph, _linked(graph, layer, _LINKS[task]), matrix)


def _forest(graph: Graph, model: Any, matrix: str, task: Task) -> str:
    """Mean over trees, on the numbers as float32: that is what scikit-learn's trees compare."""
    from sklearn.utils import get_tags

    short = _short(graph, matrix)
    trees, count = forest(model, task)
    mean = graph.node("Div", _sum(graph, trees, short), graph.constant(count))
    return _refusing(graph, mean, short, missing=not get_tags(model).input_tags.allow_nan)


def _linked(graph: Graph, raw: str, link: Link) -> str:
    """From the estimator's own scale to probabilities or values."""
    if link == "identity":
        return raw
    if link == "softmax":
        return graph.node("Softmax", raw, axis=1)
    return graph.node("Exp" if link == "log" else "Sigmoid", raw)


def _refusing(graph: Graph, scores: str, matrix: str, *, missing: bool = True) -> str:
    """The scores; NaN where a number of the row is infinite or, if those are refused, missing."""
    checked = matrix
    if not missing:
        checked = graph.node("Where", graph.node("IsNaN", matrix), graph.constant(0.0), matrix)
    # 0 times infinity or NaN is NaN.
    total = graph.node("ReduceSum", checked, graph.constant([1], np.int64), keepdims=1)
    return graph.node("Add", scores, graph.node("Mul", total, graph.constant(0.0)))


def _short(graph: Graph, matrix: str) -> str:
    return graph.cast(graph.cast(matrix, _FLOAT32), _FLOAT64)


def _sum(graph: Graph, trees: Trees, matrix: str) -> str:
    return graph.node(
        "TreeEnsemble", matrix, domain="ai.onnx.ml", aggregate_function=1, **trees.attributes()
    )


_ACTIVATIONS: Mapping[str, str] = {"identity": "", "relu": "Relu", "tanh": "Tanh"} | {
    "logistic": "Sigmoid"
}
_WRITERS: Mapping[str, Callable[[Graph, Any, str, Task], str]] = {
    "sklearn.pipeline.Pipeline": _pipeline,
    "sklearn.ensemble._voting.": _voting,
    "sklearn.ensemble._stacking.": _stacking,
    "sklearn.ensemble._hist_gradient_boosting.": _hist_boosting,
    "sklearn.ensemble._gb.": _boosting,
    "sklearn.ensemble._forest.": _forest,
    "sklearn.tree.": _forest,
    "sklearn.linear_model.": _linear,
    "sklearn.discriminant_analysis.LinearDiscriminantAnalysis": _linear,
    "sklearn.neural_network.": _perceptron,
    "xgboost.": _booster,
    "lightgbm.": _booster,
    "catboost.": _booster,
}
"""Module and class, as they begin -> what writes it; of several the first."""
