"""Fitted trees as the attributes of one ONNX `TreeEnsemble` (ai.onnx.ml 5).

Thresholds and leaves stay float64. The operator names inner nodes and leaves apart, and gives each
leaf one output: a tree with several outputs is written once for each.

The attributes of boosted models that scikit-learn keeps to itself are read here and nowhere else;
`tests/unit/export/test_onnx.py` compares what is made of them with its own scores.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlops_assets.blocks.base import Task
from mlops_assets.errors import NotExportableError


@dataclass
class Trees:
    """Inner nodes and leaves of all trees, one after another."""

    outputs: int
    roots: list[int] = field(default_factory=list)
    nodes: dict[str, list[int]] = field(
        default_factory=lambda: {name: [] for name in _NODE_ATTRIBUTES}
    )
    splits: list[float] = field(default_factory=list)
    leaves: list[float] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)

    def add(self, tree: "Tree", output: int) -> None:
        """Append a tree whose leaves count for `output`."""
        inner, leaves = np.flatnonzero(~tree.is_leaf), np.flatnonzero(tree.is_leaf)
        place = np.empty(len(tree.is_leaf), dtype=np.int64)
        place[inner] = len(self.splits) + np.arange(len(inner))
        place[leaves] = len(self.leaves) + np.arange(len(leaves))
        self.roots.append(len(self.splits))
        self.leaves += tree.value[leaves].tolist()
        self.targets += [output] * len(leaves)
        if not len(inner):  # the operator has no tree of a single leaf
            self._node(0.0, np.array([[0, 0, place[0], 1, place[0], 1]]))
            return
        left, right = tree.left[inner], tree.right[inner]
        columns = (
            tree.feature[inner],
            tree.missing_left[inner],
            place[left],
            tree.is_leaf[left],
            place[right],
            tree.is_leaf[right],
        )
        self._node(tree.threshold[inner], np.column_stack(columns))

    def _node(self, splits: Any, rows: np.ndarray) -> None:
        self.splits += np.atleast_1d(splits).tolist()
        for name, column in zip(_NODE_ATTRIBUTES, rows.T, strict=True):
            self.nodes[name] += column.astype(int).tolist()

    def attributes(self) -> dict[str, Any]:
        """As the operator takes them."""
        return {
            "n_targets": self.outputs,
            "tree_roots": self.roots,
            **self.nodes,
            "nodes_splits": np.array(self.splits, dtype=np.float64),
            "nodes_modes": np.zeros(len(self.splits), dtype=np.uint8),  # x <= split goes left
            "leaf_weights": np.array(self.leaves, dtype=np.float64),
            "leaf_targetids": self.targets,
        }


_NODE_ATTRIBUTES = (
    "nodes_featureids",
    "nodes_missing_value_tracks_true",
    "nodes_truenodeids",
    "nodes_trueleafs",
    "nodes_falsenodeids",
    "nodes_falseleafs",
)


@dataclass(frozen=True)
class Tree:
    """One tree as arrays over its nodes; the root is the first."""

    is_leaf: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray


def boosted(model: Any) -> tuple[Trees, np.ndarray, bool]:
    """The trees of a HistGradientBoosting model; what is added to their sum; whether that is a log.

    Raises:
        NotExportableError: Some split is on categories.
    """
    found = Trees(model.n_trees_per_iteration_)
    for iteration in model._predictors:
        for output, predictor in enumerate(iteration):
            nodes = predictor.nodes
            if nodes["is_categorical"].any():
                raise NotExportableError("splits on categorical_features have no ONNX export here")
            tree = Tree(
                is_leaf=nodes["is_leaf"].astype(bool),
                feature=nodes["feature_idx"],
                threshold=nodes["num_threshold"],
                missing_left=nodes["missing_go_to_left"],
                left=nodes["left"].astype(np.int64),
                right=nodes["right"].astype(np.int64),
                value=nodes["value"],
            )
            found.add(tree, output)
    baseline = model._baseline_prediction.reshape(1, -1)
    return found, baseline, type(model._loss.link).__name__ == "LogLink"


def forest(model: Any, task: Task) -> tuple[Trees, float]:
    """The trees of a forest, or a single tree, and by how many their sum is divided."""
    members = getattr(model, "estimators_", [model])
    first = members[0].tree_.value.shape[2]
    outputs = [1] if task == "binary" else list(range(first))
    found = Trees(len(outputs))
    for member in members:
        tree = member.tree_
        is_leaf = tree.children_left < 0
        for output, column in enumerate(outputs):
            one = Tree(
                is_leaf=is_leaf,
                feature=tree.feature,
                threshold=tree.threshold,
                missing_left=tree.missing_go_to_left,
                left=tree.children_left,
                right=tree.children_right,
                value=tree.value[:, 0, column],
            )
            found.add(one, output)
    return found, float(len(members))


def gradient_boosted(model: Any) -> tuple[Trees, np.ndarray]:
    """The trees of a GradientBoosting model, and what is added to their sum.

    Raises:
        NotExportableError: It starts from another estimator, or its loss has no such sum.
    """
    start = "" if model.init_ == "zero" else type(model.init_).__name__
    if start not in ("", "DummyClassifier", "DummyRegressor") or model.loss == "exponential":
        raise NotExportableError(f"GradientBoosting after {start or model.loss} has no ONNX export")
    found = Trees(model.estimators_.shape[1])
    for row in model.estimators_:
        for output, member in enumerate(row):
            found.add(_regression_tree(member.tree_, model.learning_rate), output)
    origin = np.zeros((1, model.n_features_in_), dtype=np.float32)
    return found, np.reshape(model._raw_predict_init(origin), (1, -1))


def _regression_tree(tree: Any, scale: float) -> Tree:
    return Tree(
        is_leaf=tree.children_left < 0,
        feature=tree.feature,
        threshold=tree.threshold,
        missing_left=tree.missing_go_to_left,
        left=tree.children_left,
        right=tree.children_right,
        value=tree.value[:, 0, 0] * scale,
    )
