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
from mlops_assets.ml.export.onnx_estimators import estimate, numeric
from mlops_assets.ml.export.onnx_graph import Graph
from mlops_assets.ml.frames import FeatureDtypes
from mlops_assets.ml.inference.onnx_runtime import MISSING, NUMBERS, TEXTS


def export(pipeline: Pipeline, dtypes: FeatureDtypes, task: Task) -> bytes:
    """Write a fitted pipeline as an ONNX model.

    Raises:
        NotExportableError: Some step is not known here.
    """
    graph = Graph(dtypes)
    steps = [step for _, step in pipeline.steps]
    matrix = _prepare(graph, steps[:-1], list(dtypes))
    return graph.model(estimate(graph, steps[-1], matrix, task))


def _prepare(graph: Graph, steps: Sequence[Any], names: list[str]) -> str:
    """The matrix that the estimator is fed."""
    if steps and type(steps[0]).__name__ == "ColumnTransformer":
        parts = [
            _part(graph, transformer, _names(columns, names))
            for _, transformer, columns in steps[0].transformers_
            if not isinstance(transformer, str) or transformer != "drop"
        ]
        matrix = parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)
        return numeric(graph, steps[1:], matrix)
    return numeric(graph, steps, _columns(graph, names))


def _names(columns: Any, names: list[str]) -> list[str]:
    """ColumnTransformer's columns by name; a remainder's may be positions."""
    return [name if isinstance(name, str) else names[name] for name in columns]


def _part(graph: Graph, transformer: Any, names: list[str]) -> str:
    encode = _ENCODERS.get(type(transformer).__name__)
    if encode is None:
        steps = [step for _, step in getattr(transformer, "steps", [("", transformer)])]
        return numeric(graph, steps, _columns(graph, names))
    codes = encode(transformer)
    parts = [_lookup(graph, name, *code) for name, code in zip(names, codes, strict=True)]
    return parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1)


def _columns(graph: Graph, names: list[str]) -> str:
    if texts := [name for name in names if name not in graph.numbers]:
        raise NotExportableError(f"the text features {texts} reach the estimator as they are")
    if names == graph.numbers:
        return NUMBERS
    places = graph.constant([graph.numbers.index(name) for name in names], np.int64)
    return graph.node("Gather", NUMBERS, places, axis=1)


def _lookup(
    graph: Graph, name: str, categories: Sequence[Any], known: np.ndarray, unknown: np.ndarray
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
