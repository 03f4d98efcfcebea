"""A fitted pipeline as one ONNX graph in double precision.

It takes what `ml.training.fit.build_pipeline` makes. Written node by node, because skl2onnx loses
precision: its trees answer in float32, and its encoders differed by 0.1 on the examples. The graph
takes `numbers` (rows, numeric features) and `texts` (rows, text features) and gives `scores` as
`ml.inference.scoring.score` does. What scikit-learn refuses, the graph answers by NaN. Whether a
graph may be served is for `parity` to say, never for this module: an estimator it does not know is
an error, one it misunderstands shows there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mlops_assets.blocks.base import Task
from mlops_assets.errors import NotExportableError
from mlops_assets.ml.estimators import Pipeline
from mlops_assets.ml.export.onnx_trees import Trees, boosted, forest
from mlops_assets.ml.frames import FeatureDtypes
from mlops_assets.ml.inference.onnx_runtime import MISSING, NUMBERS, SCORES, TEXTS

_OPSETS = {"": 21, "ai.onnx.ml": 5}
_IR_VERSION = 10


def export(pipeline: Pipeline, dtypes: FeatureDtypes, task: Task) -> bytes:
    """Write a fitted pipeline as an ONNX model.

    Raises:
        NotExportableError: Some step is not known here.
    """
    graph = _Graph(dtypes)
    steps = [step for _, step in pipeline.steps]
    matrix = _prepare(graph, steps[:-1], list(dtypes))
    return graph.model(_estimate(graph, steps[-1], matrix, task))


class _Graph:
    """Nodes and constants, each named by its place."""

    def __init__(self, dtypes: FeatureDtypes) -> None:
        import onnx  # of the training only: the endpoint runs graphs, and writes none

        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.numbers = [name for name, dtype in dtypes.items() if dtype == "float64"]
        self.texts = [name for name, dtype in dtypes.items() if dtype == "string"]

    def constant(self, value: Any, dtype: Any = np.float64) -> str:
        name = f"c{len(self._constants)}"
        array = np.asarray(value, dtype=dtype)
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node; a NumPy array as an attribute becomes a tensor."""
        name = f"n{len(self._nodes)}"
        helper, tensor = self._onnx.helper, self._onnx.numpy_helper.from_array
        made = helper.make_node(op, list(inputs), [name], domain=domain)
        for key, value in attributes.items():
            plain = tensor(value, key) if isinstance(value, np.ndarray) else value
            made.attribute.append(helper.make_attribute(key, plain))
        self._nodes.append(made)
        return name

    def cast(self, value: str, dtype: Any) -> str:
        return self.node("Cast", value, to=self._onnx.helper.np_dtype_to_tensor_dtype(dtype))

    def model(self, scores: str) -> bytes:
        helper, types = self._onnx.helper, self._onnx.TensorProto
        inputs = [(NUMBERS, types.DOUBLE, self.numbers), (TEXTS, types.STRING, self.texts)]
        self._nodes.append(helper.make_node("Identity", [scores], [SCORES]))
        graph = helper.make_graph(
            self._nodes,
            "pipeline",
            [
                helper.make_tensor_value_info(name, kind, ["rows", len(columns)])
                for name, kind, columns in inputs
                if columns
            ],
            [helper.make_tensor_value_info(SCORES, types.DOUBLE, ["rows", None])],
            self._constants,
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        self._onnx.checker.check_model(made)
        return made.SerializeToString(deterministic=True)


def _prepare(graph: _Graph, steps: Sequence[Any], names: list[str]) -> str:
    """The matrix that the estimator is fed."""
    if steps and type(steps[0]).__name__ == "ColumnTransformer":
        parts = [
            _part(graph, transformer, _names(columns, names))
            for _, transformer, columns in steps[0].transformers_
            if not isinstance(transformer, str) or transformer != "drop"
        ]
        matrix = parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)
        return _numeric(graph, steps[1:], matrix)
    return _numeric(graph, steps, _columns(graph, names))


def _names(columns: Any, names: list[str]) -> list[str]:
    """ColumnTransformer's columns by name; a remainder's may be positions."""
    return [name if isinstance(name, str) else names[name] for name in columns]


def _part(graph: _Graph, transformer: Any, names: list[str]) -> str:
    encode = _ENCODERS.get(type(transformer).__name__)
    if encode is None:
        steps = [step for _, step in getattr(transformer, "steps", [("", transformer)])]
        return _numeric(graph, steps, _columns(graph, names))
    codes = encode(transformer)
    parts = [_lookup(graph, name, *code) for name, code in zip(names, codes, strict=True)]
    return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)


def _columns(graph: _Graph, names: list[str]) -> str:
    if texts := [name for name in names if name not in graph.numbers]:
        raise NotExportableError(f"the text features {texts} reach the estimator as they are")
    if names == graph.numbers:
        return NUMBERS
    places = graph.constant([graph.numbers.index(name) for name in names], np.int64)
    return graph.node("Gather", NUMBERS, places, axis=1)


def _lookup(
    graph: _Graph, name: str, categories: Sequence[Any], known: np.ndarray, unknown: np.ndarray
) -> str:
    """Category -> its row of `known`, or `unknown`."""
    if name not in graph.texts:
        raise NotExportableError(f"the encoded feature {name!r} is a number, not a text")
    keys = [MISSING if category != category else category for category in categories]
    place = graph.constant(graph.texts.index(name), np.int64)
    codes = graph.node(
        "LabelEncoder",
        graph.node("Gather", TEXTS, place, axis=1),
        domain="ai.onnx.ml",
        keys_strings=keys,
        values_int64s=list(range(len(keys))),
        default_int64=len(keys),
    )
    return graph.node("Gather", graph.constant(np.vstack([known, unknown])), codes, axis=0)


_Codes = list[tuple[Sequence[Any], np.ndarray, np.ndarray]]
"""Of each column its categories, a row of values for each, and the row of an unknown one."""


def _one_hot(encoder: Any) -> _Codes:
    if (encoder.drop, encoder.min_frequency, encoder.max_categories) != (None, None, None):
        raise NotExportableError("OneHotEncoder drops or joins categories")
    return [
        (categories, np.eye(len(categories)), np.zeros(len(categories)))
        for categories in encoder.categories_
    ]


def _ordinal(encoder: Any) -> _Codes:
    unknown, missing = encoder.unknown_value, encoder.encoded_missing_value
    codes = []
    for categories in encoder.categories_:
        values = np.arange(len(categories), dtype=np.float64)
        values[[category != category for category in categories]] = missing
        codes.append((categories, values[:, None], np.array([unknown], dtype=np.float64)))
    return codes


def _target(encoder: Any) -> _Codes:
    classes = len(encoder.encodings_) // len(encoder.categories_)
    means = np.reshape(encoder.target_mean_, classes)
    return [
        (categories, np.column_stack(encoder.encodings_[i * classes : (i + 1) * classes]), means)
        for i, categories in enumerate(encoder.categories_)
    ]


_ENCODERS: Mapping[str, Callable[[Any], _Codes]] = {
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "TargetEncoder": _target,
}


def _numeric(graph: _Graph, steps: Sequence[Any], matrix: str) -> str:
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


def _estimate(graph: _Graph, model: Any, matrix: str, task: Task) -> str:
    kind, module = type(model).__name__, type(model).__module__
    if module.startswith("sklearn.ensemble._hist_gradient_boosting"):
        trees, baseline, log = boosted(model)
        raw = graph.node("Add", _sum(graph, trees, matrix), graph.constant(baseline))
        return _inverse(graph, raw, task, log)
    if module.startswith(("sklearn.ensemble._forest", "sklearn.tree.")):
        return _forest(graph, model, matrix, task)
    if module.startswith("sklearn.linear_model.") and hasattr(model, "coef_"):
        weights = graph.constant(np.atleast_2d(model.coef_).T)
        raw = graph.node("MatMul", matrix, weights)
        raw = graph.node("Add", raw, graph.constant(np.reshape(model.intercept_, (1, -1))))
        return _inverse(graph, raw, task, kind in ("PoissonRegressor", "GammaRegressor"))
    raise NotExportableError(f"the estimator {kind} has no ONNX export here")


def _inverse(graph: _Graph, raw: str, task: Task, log: bool) -> str:
    """From the estimator's own scale to probabilities or values."""
    if task == "regression":
        return graph.node("Exp", raw) if log else raw
    if task == "binary":
        return graph.node("Sigmoid", raw)
    return graph.node("Softmax", raw, axis=1)


def _forest(graph: _Graph, model: Any, matrix: str, task: Task) -> str:
    """Mean over trees, on the numbers as float32: that is what scikit-learn's trees compare."""
    from sklearn.utils import get_tags

    short = graph.cast(graph.cast(matrix, np.dtype(np.float32)), np.dtype(np.float64))
    trees, count = forest(model, task)
    mean = graph.node("Div", _sum(graph, trees, short), graph.constant(count))
    checked = short
    if get_tags(model).input_tags.allow_nan:
        checked = graph.node("Where", graph.node("IsNaN", short), graph.constant(0.0), short)
    # 0 times infinity or NaN is NaN: numbers beyond float32, which scikit-learn refuses.
    total = graph.node("ReduceSum", checked, graph.constant([1], np.int64), keepdims=1)
    return graph.node("Add", mean, graph.node("Mul", total, graph.constant(0.0)))


def _sum(graph: _Graph, trees: Trees, matrix: str) -> str:
    return graph.node(
        "TreeEnsemble", matrix, domain="ai.onnx.ml", aggregate_function=1, **trees.attributes()
    )
