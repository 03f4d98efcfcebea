"""Fitted trees of XGBoost, LightGBM and CatBoost, read from what each library writes of itself.

The formats are documented by the libraries; `tests/unit/export/test_onnx.py` compares what is made
of them with their own scores.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mlops_assets.errors import NotExportableError
from mlops_assets.ml.export.onnx_trees import Tree, Trees

Link = Literal["identity", "log", "sigmoid", "softmax"]


@dataclass(frozen=True)
class Boosted:
    """A booster as the sum of its trees."""

    trees: Trees
    baseline: np.ndarray
    """What is added to the sum of each output; of shape (1, outputs)."""
    link: Link
    """From the sum to what the booster answers."""
    short: bool = True
    """Whether numbers are compared as float32."""
    refuses_infinite: bool = False


def booster(model: Any) -> Boosted:
    """The trees of a fitted booster's scikit-learn interface.

    Raises:
        NotExportableError: It has splits or an objective that are not known here.
    """
    return _READERS[type(model).__module__.partition(".")[0]](model)


def _xgboost(model: Any) -> Boosted:
    said = json.loads(bytes(model.get_booster().save_raw("json")))["learner"]
    name, boosting = said["objective"]["name"], said["gradient_booster"]
    weights = boosting.get("weight_drop")  # of DART
    inner = boosting.get("gbtree", boosting)
    if "model" not in inner or "trees" not in inner["model"]:
        raise NotExportableError(f"XGBoost's booster {boosting['name']!r} has no ONNX export here")
    link = _known(name, _XGBOOST_LINKS, "XGBoost")
    # A number, or in brackets one for each output.
    base = np.atleast_1d(json.loads(said["learner_model_param"]["base_score"]))
    outputs = max(int(said["learner_model_param"]["num_class"]), 1)
    trees = Trees(outputs)
    for number, tree in enumerate(inner["model"]["trees"]):
        weight = weights[number] if weights else 1.0
        trees.add(_xgboost_tree(tree, weight), inner["model"]["tree_info"][number])
    baseline = np.broadcast_to(_BEFORE[link](base), (1, outputs))
    return Boosted(trees, baseline, link, refuses_infinite=True)


def _xgboost_tree(said: Mapping[str, Any], weight: float) -> Tree:
    if any(said["split_type"]) or int(said["tree_param"]["size_leaf_vector"]) > 1:
        raise NotExportableError("XGBoost's splits on categories and trees of several outputs")
    left = np.array(said["left_children"])
    values = np.array(said["split_conditions"], dtype=np.float32)
    return Tree(
        is_leaf=left < 0,
        feature=np.array(said["split_indices"]),
        # It goes left below the threshold, the operator up to it.
        threshold=np.nextafter(values, np.float32(-np.inf)).astype(np.float64),
        missing_left=np.array(said["default_left"]),
        left=left,
        right=np.array(said["right_children"]),
        value=values.astype(np.float64) * weight,
    )


def _lightgbm(model: Any) -> Boosted:
    said = model.booster_.dump_model()
    link = _known(said["objective"], _LIGHTGBM_LINKS, "LightGBM")
    if said["average_output"]:
        raise NotExportableError("LightGBM's forests have no ONNX export here")
    outputs = said["num_tree_per_iteration"]
    trees = Trees(outputs)
    for tree in said["tree_info"]:
        trees.add(_lightgbm_tree(tree["tree_structure"]), tree["tree_index"] % outputs)
    return Boosted(trees, np.zeros((1, outputs)), link, short=False)


def _lightgbm_tree(root: Mapping[str, Any]) -> Tree:
    nodes, places = list(_nodes(root)), {}
    for place, node in enumerate(nodes):
        places[id(node)] = place
    for node in nodes:
        if "leaf_const" in node or "leaf_coeff" in node:
            raise NotExportableError("LightGBM's linear trees have no ONNX export here")
        known = node.get("missing_type") != "Zero" and node.get("decision_type", "<=") == "<="
        if not known:
            raise NotExportableError(
                "LightGBM's splits on categories, and zeros that are missing, have no ONNX export"
            )
    inner = [node if "left_child" in node else None for node in nodes]
    return Tree(
        is_leaf=np.array([node is None for node in inner]),
        feature=np.array([node["split_feature"] if node else 0 for node in inner]),
        threshold=np.array([node["threshold"] if node else 0.0 for node in inner]),
        missing_left=np.array([_missing_left(node) if node else False for node in inner]),
        left=np.array([places[id(node["left_child"])] if node else -1 for node in inner]),
        right=np.array([places[id(node["right_child"])] if node else -1 for node in inner]),
        value=np.array([node.get("leaf_value", 0.0) for node in nodes]),
    )


def _nodes(root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [node[side] for side in ("right_child", "left_child") if side in node]


def _missing_left(node: Mapping[str, Any]) -> bool:
    """Where training saw nothing missing, LightGBM takes it for a zero."""
    return node["default_left"] if node["missing_type"] == "NaN" else node["threshold"] >= 0.0


def _catboost(model: Any) -> Boosted:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.json")
        model.save_model(str(file), format="json")
        said = json.loads(file.read_bytes())
    params = said["model_info"]["params"]
    link = _known(params["loss_function"]["type"], _CATBOOST_LINKS, "CatBoost")
    if "oblivious_trees" not in said:
        raise NotExportableError("CatBoost's trees are symmetric only with grow_policy's default")
    scale, bias = said["scale_and_bias"]
    features = {f["feature_index"]: f for f in said["features_info"]["float_features"]}
    outputs = len(bias)
    trees = Trees(outputs)
    for tree in said["oblivious_trees"]:
        leaves = np.reshape(tree["leaf_values"], (-1, outputs)) * scale
        for output in range(outputs):
            trees.add(_catboost_tree(tree["splits"] or [], leaves[:, output], features), output)
    return Boosted(trees, np.reshape(bias, (1, -1)), link)


def _catboost_tree(
    splits: Sequence[Mapping[str, Any]], leaves: np.ndarray, features: Mapping[int, Any]
) -> Tree:
    """A tree whose nodes of one depth all ask the same, spelled out; numbered by breadth."""
    if any(split["split_type"] != "FloatFeature" for split in splits):
        raise NotExportableError("CatBoost's splits on categories have no ONNX export here")
    depth = len(splits)
    inner = 2**depth - 1
    places = np.arange(2 * inner + 1)
    level = np.floor(np.log2(places + 1)).astype(int)
    is_leaf = level == depth
    asked = [splits[min(each, depth - 1)] if depth else None for each in level]
    used = [features[split["float_feature_index"]] if split else None for split in asked]
    # The answers from the root down are the bits of the leaf's number, the lowest first.
    path = places + 1 - 2**level
    leaf = np.array([int(f"{p:0{depth}b}"[::-1], 2) if depth else 0 for p in path % 2**depth])
    return Tree(
        is_leaf=is_leaf,
        feature=np.array([each["flat_feature_index"] if each else 0 for each in used]),
        threshold=np.array([split["border"] if split else 0.0 for split in asked]),
        missing_left=np.array(
            [bool(each) and each["nan_value_treatment"] != "AsTrue" for each in used]
        ),
        left=np.where(is_leaf, -1, 2 * places + 1),
        right=np.where(is_leaf, -1, 2 * places + 2),
        value=np.where(is_leaf, leaves[leaf], 0.0),
    )


def _known(objective: str, links: Mapping[str, Link], library: str) -> Link:
    if objective not in links:
        raise NotExportableError(f"{library}'s objective {objective!r} has no ONNX export here")
    return links[objective]


_READERS: Mapping[str, Callable[[Any], Boosted]] = {
    "catboost": _catboost,
    "lightgbm": _lightgbm,
    "xgboost": _xgboost,
}
_BEFORE: Mapping[Link, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda value: value,
    "log": np.log,
    "sigmoid": lambda value: np.log(value / (1 - value)),
    "softmax": lambda value: value,
}
_XGBOOST_LINKS: Mapping[str, Link] = {
    "binary:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "reg:squarederror": "identity",
    "reg:absoluteerror": "identity",
    "reg:pseudohubererror": "identity",
    "count:poisson": "log",
    "reg:gamma": "log",
    "reg:tweedie": "log",
}
_LIGHTGBM_LINKS: Mapping[str, Link] = {
    "binary sigmoid:1": "sigmoid",
    "regression": "identity",
    "regression_l1": "identity",
    "huber": "identity",
    "quantile": "identity",
    "poisson": "log",
    "gamma": "log",
    **{f"multiclass num_class:{n}": "softmax" for n in range(3, 101)},
}
_CATBOOST_LINKS: Mapping[str, Link] = {
    "Logloss": "sigmoid",
    "MultiClass": "softmax",
    "RMSE": "identity",
    "MAE": "identity",
    "Quantile": "identity",
    "Poisson": "log",
}
