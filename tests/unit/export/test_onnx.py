"""ONNX exports score as scikit-learn does, and what does not is served by scikit-learn."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx.external_data_helper import set_external_data
from threadpoolctl import threadpool_limits

from mlops_assets.blocks.base import Task
from mlops_assets.errors import DeploymentError
from mlops_assets.ml.export.parity import Exported, compare, export_checked
from mlops_assets.ml.frames import feature_frame, select_features
from mlops_assets.ml.inference.onnx_runtime import OnnxModel
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.fit import fit
from mlops_assets.serving.version.model import by_sklearn
from resources.endpoints.folder import EndpointFolder
from tests.support.served.served_models import DTYPES, build
from tests.support.toy_models import flat_table

ROOT = Path(__file__).parents[3]
COLUMNS = {"spend": "float64", "item": "string", "age": "float64", "shop": "string"}
ENCODINGS = [
    {"item": "one_hot", "shop": "target"},
    {"item": "ordinal", "shop": "one_hot"},
    {"item": "target", "shop": "ordinal"},
]
ENSEMBLE, TREE, LINEAR = "sklearn.ensemble.", "sklearn.tree.", "sklearn.linear_model."
MEMBERS = {
    "estimators": [
        ["a", {"estimator": f"{LINEAR}LogisticRegression"}],
        ["b", {"estimator": f"{ENSEMBLE}RandomForestClassifier", "params": {"n_estimators": 5}}],
    ]
}
STEPS = [
    ["scale", {"estimator": "sklearn.preprocessing.StandardScaler"}],
    ["model", {"estimator": f"{LINEAR}LogisticRegression"}],
]
MODELS: list[tuple[Task, str, dict[str, Any]]] = [
    ("binary", f"{ENSEMBLE}HistGradientBoostingClassifier", {"max_iter": 20}),
    ("binary", f"{ENSEMBLE}RandomForestClassifier", {"n_estimators": 20}),
    ("binary", f"{TREE}DecisionTreeClassifier", {}),
    ("binary", f"{LINEAR}LogisticRegression", {}),
    ("multiclass", f"{ENSEMBLE}HistGradientBoostingClassifier", {"max_iter": 8}),
    ("multiclass", f"{ENSEMBLE}ExtraTreesClassifier", {"n_estimators": 10}),
    ("multiclass", f"{LINEAR}LogisticRegression", {}),
    ("regression", f"{ENSEMBLE}HistGradientBoostingRegressor", {"max_iter": 20}),
    ("regression", f"{ENSEMBLE}HistGradientBoostingRegressor", {"loss": "poisson", "max_iter": 9}),
    ("regression", f"{ENSEMBLE}RandomForestRegressor", {"n_estimators": 10}),
    ("regression", f"{LINEAR}Ridge", {}),
    ("regression", f"{LINEAR}PoissonRegressor", {"max_iter": 1000}),
    ("binary", f"{ENSEMBLE}GradientBoostingClassifier", {"n_estimators": 9}),
    ("multiclass", f"{ENSEMBLE}GradientBoostingClassifier", {"n_estimators": 5}),
    ("regression", f"{ENSEMBLE}GradientBoostingRegressor", {"n_estimators": 9}),
    ("binary", "sklearn.neural_network.MLPClassifier", {"max_iter": 900, "solver": "lbfgs"}),
    (
        "multiclass",
        "sklearn.neural_network.MLPClassifier",
        {
            "max_iter": 900,
            "solver": "lbfgs",
            "activation": "logistic",
            "hidden_layer_sizes": [5, 4],
        },
    ),
    (
        "regression",
        "sklearn.neural_network.MLPRegressor",
        {"max_iter": 900, "solver": "lbfgs", "activation": "tanh", "hidden_layer_sizes": 4},
    ),
    ("multiclass", "sklearn.discriminant_analysis.LinearDiscriminantAnalysis", {}),
    ("binary", f"{ENSEMBLE}VotingClassifier", {"voting": "soft", "weights": [1, 3], **MEMBERS}),
    ("multiclass", f"{ENSEMBLE}VotingClassifier", {"voting": "soft", **MEMBERS}),
    ("binary", f"{ENSEMBLE}StackingClassifier", {"cv": 2, **MEMBERS}),
    ("multiclass", f"{ENSEMBLE}StackingClassifier", {"cv": 2, **MEMBERS}),
    (
        "regression",
        f"{ENSEMBLE}VotingRegressor",
        {"estimators": [["a", {"estimator": f"{LINEAR}Ridge"}]]},
    ),
    ("binary", "sklearn.pipeline.Pipeline", {"steps": STEPS}),
    ("binary", "lightgbm.LGBMClassifier", {"n_estimators": 9}),
    ("multiclass", "lightgbm.LGBMClassifier", {"n_estimators": 5}),
    ("regression", "lightgbm.LGBMRegressor", {"n_estimators": 9}),
    ("regression", "lightgbm.LGBMRegressor", {"n_estimators": 9, "objective": "poisson"}),
    ("binary", "catboost.CatBoostClassifier", {"iterations": 9}),
    ("multiclass", "catboost.CatBoostClassifier", {"iterations": 5}),
    ("regression", "catboost.CatBoostRegressor", {"iterations": 9}),
    ("regression", "catboost.CatBoostRegressor", {"iterations": 9, "loss_function": "Poisson"}),
]
SINGLE: list[tuple[Task, str, dict[str, Any]]] = [
    ("binary", "xgboost.XGBClassifier", {"n_estimators": 9}),
    ("binary", "xgboost.XGBClassifier", {"n_estimators": 9, "booster": "dart", "rate_drop": 0.5}),
    ("multiclass", "xgboost.XGBClassifier", {"n_estimators": 5}),
    ("regression", "xgboost.XGBRegressor", {"n_estimators": 1}),
    ("regression", "xgboost.XGBRegressor", {"n_estimators": 1, "objective": "reg:tweedie"}),
]
"""Those that add up their trees in single precision: of large values too many differ."""
BOOSTERS = [
    model for model in MODELS if model[1].startswith(("lightgbm.LGBMC", "catboost.CatBoostC"))
]


def table(task: Task, *, nulls: bool) -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "spend": random.normal(size=600) * 1e3,
            "item": random.choice(["a", "b", "c"], 600).astype(object),
            "age": random.integers(18, 90, 600).astype(float),
            "shop": random.choice([f"s{i}" for i in range(15)], 600).astype(object),
        }
    )
    value = frame["spend"] + 400 * frame["item"].eq("a") + random.normal(size=600) * 300
    targets = {
        "binary": (value > 0).astype(int),
        "multiclass": pd.cut(value, 3, labels=["low", "mid", "top"]).astype(str),
        "regression": (value - value.min()) / 1000,
    }
    if nulls:
        for step, name in zip((7, 11, 13, 17), COLUMNS, strict=True):
            frame.loc[::step, name] = np.nan
    return frame.assign(y=targets[task])


def exported(task: Task, estimator: str, params: dict[str, Any], **changes: Any) -> Exported:
    """Of a pipeline as `training.fit` makes it."""
    encoding, nulls = changes.pop("encoding", ENCODINGS[0]), changes.pop("nulls", False)
    training = {"estimator": estimator, "params": params, **changes}
    settings = flat_table(
        COLUMNS | {"y": "string" if task == "multiclass" else "float64"},
        encoding=encoding,
        target={"task": task, "column": "y"},
        training={"split": {"by": "random", "fraction": 0.3}, **training},
    )
    rows, dtypes = table(task, nulls=nulls), settings.feature_dtypes
    with threadpool_limits(limits=1):  # a busy machine makes several of them wait for each other
        return export_checked(Scored.of(fit(rows[:400], settings), rows[400:], settings), dtypes)


@pytest.mark.parametrize(
    ("task", "estimator", "params", "encoding"),
    [(*model, ENCODINGS[number % 3]) for number, model in enumerate(MODELS)],
)
def test_every_supported_model_is_exported_exactly(
    task: Task, estimator: str, params: dict[str, Any], encoding: dict[str, str]
) -> None:
    found = exported(task, estimator, params, encoding=encoding, impute="median", scale=True)

    assert found.inference.reason == ""
    assert found.inference.runtime == "onnxruntime"
    assert found.inference.rows == 200 + 6 * 20
    assert found.inference.max_difference == pytest.approx(0, abs=1e-9)
    assert found.content


@pytest.mark.parametrize(("task", "estimator", "params"), SINGLE)
def test_what_adds_in_single_precision_is_exported_as_exactly(
    task: Task, estimator: str, params: dict[str, Any]
) -> None:
    found = exported(task, estimator, params, impute="median")

    assert (found.inference.runtime, found.inference.reason) == ("onnxruntime", "")
    assert found.inference.max_difference == pytest.approx(0, abs=5e-7)


@pytest.mark.parametrize(("task", "estimator", "params"), [*MODELS[:2], *SINGLE[:1], *BOOSTERS])
def test_missing_values_go_the_way_they_were_trained(
    task: Task, estimator: str, params: dict[str, Any]
) -> None:
    found = exported(task, estimator, params, nulls=True)
    assert (found.inference.runtime, found.inference.unlike) == ("onnxruntime", 0)


def test_a_row_that_scikit_learn_refuses_has_no_score() -> None:
    """LogisticRegression takes no null, a forest no number beyond float32."""
    for estimator, row in (
        (f"{LINEAR}LogisticRegression", {"spend": None}),
        (f"{ENSEMBLE}RandomForestClassifier", {"spend": 1e300}),
    ):
        found = exported("binary", estimator, {}, scale=True)
        assert found.inference.unlike == 0
        whole = {"spend": 1.0, "item": "a", "age": 40.0, "shop": "s1"}
        model = OnnxModel(found.content or b"", COLUMNS)
        assert np.isnan(model.scores([whole, whole | row]))[:, 0].tolist() == [False, True]


def test_odd_texts_and_huge_numbers_score_as_by_scikit_learn(tmp_path: Path) -> None:
    built = build(tmp_path, accepts_missing=False)
    graph = OnnxModel(built.model_file.with_suffix(".onnx").read_bytes(), DTYPES)
    texts = ["x", "x\0y", "\0", "", "ü", "nan", "z" * 10_000]
    rows: list[dict[str, Any]] = [{"spend": 0.3, "class": text} for text in texts]
    rows += [{"spend": number, "class": "x"} for number in (1e308, -1e308, 5e-324, 2**60 + 1)]

    expected = by_sklearn(built.servable, built.model_file.read_bytes()).scores(rows)

    assert graph.scores(rows) == pytest.approx(expected, abs=1e-12)
    assert expected[0] != pytest.approx(expected[1])


@pytest.mark.parametrize(
    ("estimator", "params", "why"),
    [
        ("sklearn.neighbors.KNeighborsClassifier", {}, "KNeighborsClassifier has no ONNX export"),
        # One against the rest, normalised: the graph's softmax is something else.
        (f"{LINEAR}SGDClassifier", {"loss": "log_loss"}, r"scores differ by up to 0\.\d+ \(allow"),
    ],
)
def test_what_cannot_be_exported_exactly_says_why(
    estimator: str, params: dict[str, Any], why: str
) -> None:
    found = exported("multiclass", estimator, params, scale=True, impute="median")

    assert found.content is None
    assert found.inference.runtime == "scikit-learn"
    assert found.inference.onnx_sha256 is None
    assert re.search(why, found.inference.reason)


def test_an_export_that_fails_is_a_reason_and_no_error() -> None:
    pipe = importlib.import_module("sklearn.pipeline").make_pipeline
    imputer = importlib.import_module("sklearn.impute").SimpleImputer(add_indicator=True)
    linear = importlib.import_module("sklearn.linear_model").LogisticRegression()
    rows, dtypes = table("binary", nulls=True), {"spend": "float64", "age": "float64"}
    pipeline = pipe(imputer, linear).fit(feature_frame(rows.to_dict("records"), dtypes), rows["y"])

    found = export_checked(Scored(pipeline, select_features(rows, dtypes), "binary"), dtypes)

    assert found.content is None
    assert "the ONNX model cannot be loaded" in found.inference.reason


def test_the_gate_sees_a_flipped_decision_and_an_answer_in_place_of_a_refusal() -> None:
    """By the graph of one model beside another model."""
    rows, dtypes = table("binary", nulls=False), {"spend": "float64", "age": "float64"}
    forest = importlib.import_module("sklearn.ensemble").RandomForestClassifier(5, random_state=0)
    linear = importlib.import_module("sklearn.linear_model").LogisticRegression()
    pipe = importlib.import_module("sklearn.pipeline").make_pipeline
    features = feature_frame(rows.to_dict("records"), dtypes)
    one, other = pipe(forest).fit(features, rows["y"]), pipe(linear).fit(features, rows["y"])
    forest_says, linear_says = (Scored(each, features, "binary") for each in (one, other))
    graph = OnnxModel(export_checked(forest_says, dtypes).content or b"", dtypes)

    found = compare(linear_says, graph, dtypes)

    different = (forest_says.scores >= 0.5) != (linear_says.scores >= 0.5)
    assert found.flips == int(different.sum()) > 0
    assert found.unlike == 40  # the linear model takes no null
    assert "decisions differ" in found.reason
    assert "answered by only one" in found.reason


def test_a_worker_of_an_onnx_version_is_small(tmp_path: Path) -> None:
    """It imports no scikit-learn, pandas, MLflow or scipy; measured were 135 MB."""
    built = build(tmp_path)
    version = EndpointFolder(tmp_path).stage(built.servable, built.model_file, built.recorded)
    worker = f"""
import sys
from pathlib import Path
import psutil
from mlops_assets.serving.api import app
from mlops_assets.serving.api import guard
from mlops_assets.serving.process import service
from mlops_assets.serving.process import workers
import _bentoml_impl.server.app
from mlops_assets.serving.version.holder import load_checked
load_checked(Path({str(version)!r}))
heavy = {{"sklearn", "pandas", "mlflow", "scipy", "skops", "feast", "dagster"}}
print(psutil.Process().memory_info().rss, *(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", worker], cwd=ROOT, capture_output=True, text=True, check=True
    )
    resident, *heavy = done.stdout.split()
    assert heavy == []
    assert int(resident) < 300e6


@pytest.mark.parametrize("place", ["initializer", "attribute"])
@pytest.mark.parametrize("path", ["operator.key", "../{}/operator.key", "/{}/operator.key"])
def test_a_graph_reads_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, path: str
) -> None:
    """Its weights could be any file of the user's, and its scores would tell them."""
    (tmp_path / "operator.key").write_bytes(b"01234567")
    monkeypatch.chdir(tmp_path)
    weights = onnx.helper.make_tensor("w", onnx.TensorProto.DOUBLE, [1, 1], b"\0" * 8, raw=True)
    set_external_data(weights, path.format(tmp_path.name if ".." in path else tmp_path), 0, 8)
    weights.ClearField("raw_data")
    if place == "initializer":
        nodes, given = [], [weights]
    else:
        nodes, given = [onnx.helper.make_node("Constant", [], ["w"], value=weights)], []
    nodes.append(onnx.helper.make_node("Add", ["numbers", "w"], ["scores"]))
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, [None, 1])
        for name in ("numbers", "scores")
    ]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], given)
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)

    with pytest.raises(DeploymentError, match="External data path"):
        OnnxModel(model.SerializeToString(), {"spend": "float64"})
