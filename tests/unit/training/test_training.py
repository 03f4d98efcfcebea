"""Split, pipeline and fit: what is held out, what is refused, and that a seed is a model."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: TID253  a class at module level

from mlops_assets.errors import DottedPathError, FeatureError, TrainingError, UnsafeModelError
from mlops_assets.ml.evaluation.metrics import evaluate
from mlops_assets.ml.frames import feature_frame, select_features
from mlops_assets.ml.inference.model_files import load_estimator, untrusted_types
from mlops_assets.ml.inference.scoring import Scored, score
from mlops_assets.ml.inference.trusted_types import own_types
from mlops_assets.ml.training.fit import build_pipeline, fit, split
from tests.support.toy_models import event_log, flat_table

LOGISTIC = "sklearn.linear_model.LogisticRegression"
BOOSTING = "sklearn.ensemble.HistGradientBoostingClassifier"
COLUMNS = {"x": "float64", "kind": "string", "z": "int64", "y": "float64"}
SPLIT = {"split": {"by": "random", "fraction": 0.3}}


def table(task="binary", rows=120):
    random = np.random.default_rng(0)
    x, kind = random.normal(size=rows), random.choice(["ant", "bee"], rows)
    signal = x + (kind == "bee")
    target = {
        "binary": (signal > 0.5).astype(int),
        "multiclass": np.digitize(signal, [0, 1]),
        "regression": 3 * signal,
    }[task]
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "event_timestamp": pd.date_range("2024-01-01", periods=rows, freq="D", tz="UTC"),
            "x": x,
            "kind": kind,
            "z": 1.0,
            "y": target,
        }
    )


def model(task="binary", encoding="one_hot", **training):
    training = {"estimator": LOGISTIC, **SPLIT, **training}
    return flat_table(
        COLUMNS, encoding={"kind": encoding}, target={"task": task}, training=training
    )


def numeric(**training):
    """A model of the two numbers only."""
    return flat_table(
        {"x": "float64", "z": "float64", "y": "float64"},
        training={"estimator": LOGISTIC, **SPLIT, **training},
    )


def by_time(test="10 days"):
    return {"estimator": LOGISTIC, "split": {"by": "time", "test": test}}


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal", "target"])
@pytest.mark.parametrize(
    ("task", "estimator", "metric", "least"),
    [
        ("binary", LOGISTIC, "roc_auc", 0.75),
        ("multiclass", LOGISTIC, "roc_auc", 0.7),
        ("regression", "sklearn.linear_model.Ridge", "r2", 0.7),
    ],
)
def test_every_task_and_encoding_learns(task, estimator, metric, least, encoding):
    settings = model(task, encoding, estimator=estimator)
    train, test = split(table(task), settings)
    fitted = fit(train, settings)
    held_out = Scored.of(fitted, test, settings)
    assert evaluate(held_out, test[settings.target.name])[metric] > least


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal", "target"])
def test_an_unseen_or_missing_category_is_predicted(encoding):
    settings = model(encoding=encoding)
    fitted = fit(split(table(), settings).train, settings)
    rows = [{"x": 0.1, "z": 1, "kind": kind} for kind in ("wasp", None, "ant")]
    scores = score(fitted, feature_frame(rows, settings.feature_dtypes), "binary")
    assert np.isfinite(scores).all()
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("encoding", "estimator", "params"),
    [("one_hot", BOOSTING, {"max_iter": 5}), ("target", LOGISTIC, {})],
)
def test_the_same_rows_in_any_order_give_the_same_model(encoding, estimator, params):
    settings = model(encoding=encoding, estimator=estimator, params=params)
    rows = table()
    probe = feature_frame(rows.to_dict("records"), settings.feature_dtypes)
    answers = [
        score(fit(split(given, settings).train, settings), probe, "binary")
        for given in (rows, rows.sample(frac=1, random_state=3))
    ]
    assert np.array_equal(*answers)


@pytest.mark.parametrize("encoding", ["one_hot", "ordinal", "target"])
def test_a_saved_model_loads_by_the_fixed_list_and_answers_the_same(encoding):
    import skops.io

    settings = model(encoding=encoding, estimator=BOOSTING, params={"max_iter": 5}, impute="mean")
    train, test = split(table(), settings)
    fitted = fit(train, settings)
    loaded = load_estimator(skops.io.dumps(fitted))
    features = select_features(test, settings.feature_dtypes)
    assert np.array_equal(score(loaded, features, "binary"), score(fitted, features, "binary"))


class AlwaysHalf(ClassifierMixin, BaseEstimator):
    """An estimator of one's own, as scikit-learn's guide has it: no rules for its parameters."""

    def __init__(self, share=0.5):
        self.share = share

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.tile([1 - self.share, self.share], (len(X), 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_an_estimator_of_ones_own_is_fitted_and_loads_where_the_yaml_names_it():
    import skops.io

    own = f"{__name__}.AlwaysHalf"
    settings = model(estimator=own, params={"share": 0.25})
    train, test = split(table(), settings)
    content = skops.io.dumps(fit(train, settings))
    assert untrusted_types(content) == [own]
    with pytest.raises(UnsafeModelError, match=r"AlwaysHalf.*training\.trusted_types"):
        load_estimator(content, own_types(model().training))
    loaded = load_estimator(content, own_types(settings.training))
    features = select_features(test, settings.feature_dtypes)
    assert set(score(loaded, features, "binary")[:, 0]) == {0.25}


def test_types_of_ones_own_are_those_that_the_yaml_names_wherever_it_does():
    half, stubborn = f"{__name__}.AlwaysHalf", f"{__name__}.Stubborn"
    nested = {"estimators": [["half", {"estimator": half}], ["other", {"estimator": LOGISTIC}]]}
    voting = "sklearn.ensemble.VotingClassifier"
    settings = model(estimator=voting, params=nested, trusted_types=[stubborn])
    assert own_types(settings.training) == (half, stubborn)
    # By the name that the file would have, not by that of the module it is imported from.
    assert own_types(model(estimator="json.JSONDecoder").training) == ("json.decoder.JSONDecoder",)
    assert own_types(model(estimator="xgboost.XGBClassifier").training) == ()


def test_the_seed_reaches_the_estimator_unless_params_say_otherwise():
    forest = "sklearn.ensemble.RandomForestClassifier"
    assert build_pipeline(model(estimator=forest, seed=7))[-1].random_state == 7
    params = {"random_state": 1}
    assert build_pipeline(model(estimator=forest, seed=7, params=params))[-1].random_state == 1
    neighbours = "sklearn.neighbors.KNeighborsClassifier"  # has no randomness
    assert not hasattr(build_pipeline(model(estimator=neighbours))[-1], "random_state")


def test_steps_are_as_few_as_asked_for():
    assert list(build_pipeline(numeric()).named_steps) == ["model"]
    both = build_pipeline(numeric(impute="median", scale=True))
    assert list(both.named_steps) == ["impute", "scale", "model"]
    assert list(build_pipeline(model()).named_steps) == ["prepare", "model"]


@pytest.mark.parametrize(("impute", "expected"), [("median", 2.0), ("mean", 3.0), ("zero", 0.0)])
def test_imputing_fills_with_what_it_says_and_keeps_empty_columns(impute, expected):
    from sklearn.base import clone

    step = clone(build_pipeline(numeric(impute=impute))[0])
    filled = step.fit_transform(pd.DataFrame({"x": [1, 2, 6, np.nan], "z": [np.nan] * 4}))
    assert filled[3].tolist() == [expected, 0.0]


def test_numbers_beside_encoded_columns_are_imputed_and_scaled():
    settings = model(impute="mean", scale=True)
    rows = table().assign(z=np.nan)
    rows.loc[:5, "x"] = np.nan
    train = split(rows, settings).train
    prepared = fit(train, settings)[0].transform(train)
    assert prepared.shape == (len(train), 4)  # ant, bee, x, z
    assert prepared[:, 2].mean() == pytest.approx(0)
    assert prepared[:, 2].std() == pytest.approx(1)


def test_only_encoded_features_need_no_numbers():
    settings = flat_table({"kind": "string", "y": "float64"}, encoding={"kind": "one_hot"})
    assert fit(split(table(), settings).train, settings)


def test_a_random_split_keeps_an_entity_together_and_follows_the_seed():
    rows = table(rows=100).assign(id=np.arange(100) // 2)
    train, test = split(rows, model())
    assert (len(train), len(test)) == (70, 30)
    assert not set(train["id"]) & set(test["id"])
    again = split(rows.sample(frac=1, random_state=5), model())
    pd.testing.assert_frame_equal(again.test, test)
    assert not split(rows, model(seed=1)).test["id"].equals(test["id"])


def test_a_split_by_time_holds_out_the_last_units_of_the_labelled_rows():
    rows = table(rows=30).astype({"y": "float64"})
    rows.loc[25:, "y"] = np.nan  # not known yet
    train, test = split(rows, model(**by_time("10 days")))
    assert test["id"].tolist() == list(range(15, 25))
    assert train["id"].tolist() == list(range(15))
    assert train["y"].dtype == "int64"
    assert list(train.columns) == ["id", "event_timestamp", "x", "kind", "z", "y"]


def snapshots(*days):
    at = pd.to_datetime([f"2024-{day}" for day in days], utc=True)
    rows = [{"customer": c, "event_timestamp": t, "n": c, "y": c % 2} for t in at for c in (1, 2)]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("window", "trained"), [("30d", 2), ("31d", 2), ("32d", 1), ("61d", 1)])
def test_training_snapshots_whose_label_reaches_into_the_test_are_purged(window, trained):
    rows = snapshots("01-01", "02-01", "03-03", "04-03")  # 02-01 + 31 days = 03-03
    target = {"task": "binary", "agg": "count", "window": window, "at_least": 1}
    settings = event_log(target=target, training=by_time("2 months"))
    train, test = split(rows, settings)
    assert test["event_timestamp"].dt.month.unique().tolist() == [3, 4]
    assert train["event_timestamp"].nunique() == trained


def test_a_part_without_rows_is_refused():
    with pytest.raises(TrainingError, match="0 are left to train on and 20 to test on"):
        split(table(rows=20), model(**by_time("1 year")))
    one = table(rows=20).assign(id=1)
    with pytest.raises(TrainingError, match="20 are left to train on and 0 to test on"):
        split(one, model())
    with pytest.raises(TrainingError, match="none of 20 rows has a target 'y' yet"):
        split(table(rows=20).assign(y=np.nan), model())


def test_rows_without_a_feature_are_refused():
    with pytest.raises(FeatureError, match=r"no feature columns \['kind'\]"):
        split(table().drop(columns="kind"), model())


def test_targets_that_teach_nothing_are_refused():
    with pytest.raises(TrainingError, match=r"only the classes \[1\]; provide rows of another"):
        fit(table().assign(y=1), model())
    rows = table().astype({"y": "float64"})
    rows.loc[3, "y"] = np.nan
    with pytest.raises(TrainingError, match="1 of 120 training rows have no target 'y'"):
        fit(rows, model())


def test_missing_values_are_refused_by_name_with_the_remedy():
    rows = table().assign(x=lambda t: t["x"].where(t.index != 4))
    with pytest.raises(TrainingError, match=r"the features \['x'\] have some; set training.impute"):
        fit(rows, model())
    assert fit(rows, model(impute="median"))
    assert fit(rows, model(estimator=BOOSTING, params={"max_iter": 2}))


def test_infinite_values_are_refused_by_name():
    rows = table().assign(x=np.inf)
    with pytest.raises(TrainingError, match=r"\['x'\] have infinite values"):
        fit(rows, model())


@pytest.mark.parametrize("estimator", [BOOSTING, "sklearn.linear_model.LogisticRegression"])
def test_a_feature_without_any_value_is_named(estimator):
    rows = table().assign(x=np.nan)
    with pytest.raises(TrainingError, match=r"\['x'\] have no value in any of the 120 .*; remove"):
        fit(rows, model(estimator=estimator))
    assert fit(rows, model(estimator=estimator, impute="zero"))


@pytest.mark.parametrize("estimator", [BOOSTING, "sklearn.linear_model.LogisticRegression"])
@pytest.mark.parametrize("value", [1e300, -1e153])
def test_values_that_scaling_would_lose_are_named(estimator, value):
    rows = table()
    rows.loc[3, "x"] = value
    with pytest.raises(
        TrainingError, match=r"\['x'\] have values too large to be scaled, e\.g\. 1"
    ):
        fit(rows, model(estimator=estimator, scale=True))


def test_values_that_a_tree_cannot_hold_are_named():
    rows = table()
    rows.loc[3, "x"] = 1e300
    with pytest.raises(TrainingError, match=r"\['x'\] have values as large as 1e\+300; bound"):
        fit(rows, model(estimator="sklearn.tree.DecisionTreeClassifier"))


def test_a_bad_parameter_is_named_with_the_valid_ones():
    with pytest.raises(TrainingError, match=r"no parameters \['C0'\]; training.params may be.*'C'"):
        build_pipeline(model(params={"C0": 1}))
    with pytest.raises(TrainingError, match="LogisticRegression: The 'C' parameter of Logistic"):
        fit(table(), model(params={"C": -1}))
    with pytest.raises(TrainingError, match="missing 1 required positional argument"):
        build_pipeline(model(estimator="sklearn.ensemble.VotingClassifier"))


@pytest.mark.parametrize("estimator", ["xgboost.XGBClassifier", "lightgbm.LGBMClassifier"])
def test_a_misspelled_parameter_is_said_of_what_takes_any_name(estimator):
    with pytest.raises(TrainingError, match="did you mean 'max_depth'"):
        build_pipeline(model(estimator=estimator, params={"max_dept": 3}))
    assert build_pipeline(model(estimator=estimator, params={"eta": 0.1}))


def test_a_booster_that_is_not_installed_is_said_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(DottedPathError, match=r"pip install 'mlops-assets\[catboost\]'"):
        build_pipeline(model(estimator="catboost.CatBoostClassifier"))


def test_a_model_that_cannot_predict_is_refused_by_its_training():
    neighbours = model(
        estimator="sklearn.neighbors.KNeighborsClassifier", params={"n_neighbors": 500}
    )
    with pytest.raises(TrainingError, match="is fitted, but cannot predict: Expected n_neighbors"):
        fit(table(), neighbours)


def test_a_bad_estimator_is_refused():
    with pytest.raises(DottedPathError, match="has no 'LogisticRegresion'"):
        build_pipeline(model(estimator="sklearn.linear_model.LogisticRegresion"))
    with pytest.raises(TrainingError, match="is no class"):
        build_pipeline(model(estimator="math.pi"))
    with pytest.raises(TrainingError, match="has no method fit"):
        build_pipeline(model(estimator="datetime.timedelta"))
    with pytest.raises(TrainingError, match=r"a regressor .* binary target; choose"):
        build_pipeline(model(estimator="sklearn.linear_model.Ridge"))
    with pytest.raises(TrainingError, match=r"a classifier .* regression target; choose"):
        build_pipeline(model("regression"))


class Stubborn:
    """An estimator of one's own, not built on scikit-learn's base; takes any parameter."""

    def __init__(self, **params):
        self.params = params

    def fit(self, features, target):
        raise ValueError("I do not like these numbers.")

    def predict_proba(self, features):
        raise NotImplementedError


def test_an_estimator_of_ones_own_may_take_any_parameter_and_fail_to_fit():
    settings = numeric(estimator=f"{__name__}.Stubborn", params={"mood": "bad"})
    assert build_pipeline(settings)[-1].params == {"mood": "bad"}
    with pytest.raises(TrainingError, match=r"cannot be fitted: I do not like these numbers\."):
        fit(table(), settings)
    with pytest.raises(TrainingError, match=r"set training\.impute"):
        fit(table().assign(z=np.nan), settings)
