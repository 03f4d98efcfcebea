"""Of too many rows some are fitted: always the same ones, and the model stays honest."""

from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrainingError
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.training.fit import build_pipeline, fit, split
from mlops_assets.ml.training.many_rows.sampling import Sample, sampled, sampled_rows
from mlops_assets.ml.training.train import train_pipeline
from tests.support.toy_models import flat_table

pytestmark = pytest.mark.usefixtures("one_thread")

LOGISTIC = "sklearn.linear_model.LogisticRegression"
TREE = "sklearn.tree.DecisionTreeClassifier"


def model(rows: int | None, *, stratify: bool = False, **changes: Any) -> ModelSettings:
    sample = {} if rows is None else {"sample": {"rows": rows, "stratify": stratify}}
    settings = flat_table(
        {"x": "float64", "counts": "float64", "y": "float64"},
        features=("x",),
        target={"task": changes.pop("task", "binary")},
        training={
            "estimator": LOGISTIC,
            "split": {"by": "random", "fraction": 0.3},
            **sample,
            **changes.pop("training", {}),
        },
    )
    return settings.model_copy(update=changes)


WITHOUT_KEYS = {"entity": None, "timestamp": None}


def table(rows: int = 2_000, *, positive: float = 0.05) -> pd.DataFrame:
    random = np.random.default_rng(0)
    x = random.normal(size=rows)
    chance = 1 / (1 + np.exp(-(np.log(positive / (1 - positive)) + x)))
    return pd.DataFrame(
        {
            "id": np.arange(rows) // 3,
            TIMESTAMP: pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(range(rows), "min"),
            "x": x,
            "counts": np.where(x > 0, 3.0, 1.0),
            "y": (random.uniform(size=rows) < chance).astype(float),
        }
    )


def told(sample: Sample) -> set[tuple[Any, ...]]:
    """Which rows they are."""
    return set(sample.rows[["id", TIMESTAMP]].itertuples(index=False, name=None))


@given(
    labels=st.lists(st.sampled_from("abc"), min_size=6, max_size=60),
    rows=st.integers(3, 70),
    seed=st.integers(0, 5),
)
def test_what_the_drawn_rows_stand_for_is_every_class_in_its_number(
    labels: list[str], rows: int, seed: int
) -> None:
    frame = table(len(labels)).assign(y=labels)
    settings = model(rows, stratify=True, task="multiclass", training={"seed": seed})
    found, facts = sampled(frame, settings), sampled_rows(frame, settings)

    assert len(found.rows) == min(rows, len(labels))
    if facts is None:
        assert rows >= len(labels)
        return
    stand_for = np.ones(len(found.target)) if found.design_weights is None else found.design_weights
    known = pd.Series(stand_for).groupby(found.target).sum().to_dict()
    if found.design_weights is not None:
        assert known == pytest.approx(pd.Series(labels).value_counts().to_dict())
    drawn = {stratum.name: stratum.drawn for stratum in facts.strata if stratum.name}
    if drawn:
        assert drawn == pd.Series(found.target).value_counts().to_dict()
        kept_whole = [one for one in facts.strata if one.drawn == one.rows]
        most = max(one.drawn for one in facts.strata)
        assert all(one in kept_whole or most - one.drawn <= 1 for one in facts.strata)


MOMENTS = st.integers(-8_000_000_000, 8_000_000_000)
# Of a text pandas hashes what comes before a NUL.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)


def keys(ids: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, int]]]:
    return st.lists(st.tuples(ids, MOMENTS), min_size=12, max_size=30, unique_by=lambda key: key[0])


@pytest.mark.parametrize("changes", [{}, {"timestamp": None}], ids=["moments", "ids alone"])
@hypothesis.settings(max_examples=40)
@given(
    known_by=st.one_of(keys(TEXTS), keys(st.integers(-(2**63), 2**63 - 1))),
    visits=st.sampled_from([1, 2]),
    rows=st.integers(2, 8),
    order=st.integers(0, 2**32 - 1),
)
def test_the_same_rows_are_drawn_in_whatever_order_and_fewer_are_a_part_of_more(
    changes: dict[str, Any],
    known_by: list[tuple[Any, int]],
    visits: int,
    rows: int,
    order: int,
) -> None:
    known_by = known_by if changes else [(i, at + n) for n in range(visits) for i, at in known_by]
    ids = [who for who, _ in known_by]
    moments = pd.to_datetime([when for _, when in known_by], unit="s", utc=True).as_unit("ns")
    frame = table(len(ids)).assign(id=ids, **{TIMESTAMP: moments})
    shuffled = frame.sample(frac=1, random_state=order)

    few, more, again = (
        told(sampled(part, model(count, task="regression", **changes)))
        for part, count in ((frame, rows), (frame, rows + 3), (shuffled, rows))
    )
    assert few == again
    assert few <= more


@hypothesis.settings(max_examples=40)
@given(
    values=st.lists(st.sampled_from([0.0, 1.5, np.nan]), min_size=12, max_size=30),
    rows=st.integers(2, 8),
    order=st.integers(0, 2**32 - 1),
)
def test_without_keys_a_row_is_what_it_says(values: list[float], rows: int, order: int) -> None:
    frame = table(len(values)).assign(x=values).rename(columns={"id": "row"})
    shuffled = frame.sample(frac=1, random_state=order)

    few, more, again = (
        sampled(part, model(count, task="regression", **WITHOUT_KEYS)).rows
        for part, count in ((frame, rows), (frame, rows + 3), (shuffled, rows))
    )
    few, more, again = (
        part[["x", "counts", "y"]].value_counts(dropna=False) for part in (few, more, again)
    )
    assert few.equals(again.reindex(few.index))
    assert (few <= more.reindex(few.index)).all()


def test_an_order_decides_nothing_of_the_model_and_a_seed_does() -> None:
    settings = model(300, stratify=True)
    rows = table()
    probabilities = [
        fit(split(part, of).train, of).predict_proba(rows[["x"]])[:, 1]
        for part, of in (
            (rows, settings),
            (rows.sample(frac=1, random_state=3), settings),
            (rows, model(300, stratify=True, training={"seed": 1})),
        )
    ]
    assert np.array_equal(probabilities[0], probabilities[1])
    # The split is by the seed too, so it is asked of the same rows what is drawn of them.
    assert told(sampled(rows, settings)) != told(sampled(rows, model(300, training={"seed": 1})))


def test_a_moment_as_another_library_stores_it_draws_the_same() -> None:
    rows = table()
    micro = rows.assign(**{TIMESTAMP: rows[TIMESTAMP].dt.as_unit("us")})
    assert told(sampled(rows, model(99))) == told(sampled(micro, model(99)))


def test_what_is_drawn_stays_so_when_the_table_is_delivered_again() -> None:
    settings, rows = model(99, timestamp=None), table().drop_duplicates("id")
    later = rows.assign(**{TIMESTAMP: rows[TIMESTAMP] + pd.Timedelta("1d")})
    ids = [set(sampled(part, settings).rows["id"]) for part in (rows, later)]
    assert ids[0] == ids[1]


def test_the_base_rate_is_right_though_one_class_was_downsampled_twenty_to_one() -> None:
    rows = table(40_000, positive=0.04)
    positives = int(rows["y"].sum())
    negatives = (len(rows) - positives) // 20
    assert negatives < positives  # so that all positives and as many negatives are too many
    settings = model(2 * negatives, stratify=True)
    sample = sampled(rows, settings)
    assert sample.rows["y"].mean() == 0.5

    honest = fit(rows, settings).predict_proba(rows[["x"]])[:, 1]
    assert honest.mean() == pytest.approx(rows["y"].mean(), rel=0.05)
    # By whom a row stands for nobody, every second is expected to be positive.
    careless = build_pipeline(settings).fit(sample.rows[["x"]], sample.target)
    assert careless.predict_proba(rows[["x"]])[:, 1].mean() > 5 * rows["y"].mean()


@pytest.mark.parametrize("stratify", [False, True])
def test_where_there_are_not_more_rows_nothing_changes(stratify: bool) -> None:
    rows = table()
    settings = model(len(rows), stratify=stratify)
    sample = sampled(rows, settings)
    assert sample.rows is rows
    assert (sample.design_weights, sample.weights, sampled_rows(rows, settings)) == (None,) * 3


def test_what_was_trained_without_a_sample_is_not_stale() -> None:
    without, given = model(None).training, model(100).training
    assert "sample" not in without.model_dump()
    assert type(given).model_validate(given.model_dump(mode="json")) == given
    assert without.digest() != given.digest()


def test_weights_are_multiplied_and_classes_count_as_in_the_whole() -> None:
    rows = table()
    plain = model(200, stratify=True, training={"weight": "counts"})
    sample = sampled(rows, plain)
    assert sample.design_weights is not None
    expected = sample.design_weights * sample.rows["counts"].to_numpy()
    assert sample.weights == pytest.approx(expected / expected.mean())

    balanced = sampled(rows, model(200, stratify=True, training={"class_weight": "balanced"}))
    assert balanced.weights is not None
    assert balanced.weights[balanced.target == 1].sum() == pytest.approx(100)


def test_a_uniform_sample_has_no_weights_and_so_any_estimator_takes_it() -> None:
    rows, neighbours = table(), {"estimator": "sklearn.neighbors.KNeighborsClassifier"}
    fitted = fit(rows, model(500, training=neighbours))
    assert fitted[-1].n_samples_fit_ == 500
    with pytest.raises(TrainingError, match=r"takes no weights; remove training\.sample\.stratify"):
        build_pipeline(model(500, stratify=True, training=neighbours))


def test_trials_are_fitted_to_as_few_rows_as_the_model() -> None:
    pytest.importorskip("optuna")
    seen: list[int] = []
    tune = {
        "trials": 2,
        "folds": 2,
        "prune": False,
        "metric": "loss",
        "params": {"max_depth": {"type": "int", "low": 1, "high": 2}},
    }
    settings = model(300, stratify=True, training={"estimator": TREE, "tune": tune})
    found = train_pipeline(
        table(), settings, on_trial=lambda trial, _: seen.append(trial.number)
    ).model
    assert seen == [0, 1]
    assert found[-1].tree_.n_node_samples[0] == 300


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        ("sklearn.ensemble.HistGradientBoostingClassifier", {"max_iter": 40}),
        ("xgboost.XGBClassifier", {"n_estimators": 40}),
    ],
)
def test_rounds_are_judged_by_rows_that_count_for_those_that_they_stand_for(
    estimator: str, params: dict[str, Any]
) -> None:
    rows = table(8_000, positive=0.03)
    stop = {"estimator": estimator, "params": params, "early_stopping": {"rounds": 3}}
    fitted = fit(rows, model(500, stratify=True, training=stop))
    assert fitted.predict_proba(rows[["x"]])[:, 1].mean() == pytest.approx(0.04, abs=0.02)


def test_a_class_that_chance_left_out_is_said_and_one_row_of_each_is_enough() -> None:
    rows = table().assign(y=[1.0] + [0.0] * 1_999)
    with pytest.raises(TrainingError, match=r"is of the classes \[1\]; set .*stratify: true"):
        fit(rows, model(20))
    assert sampled(rows, model(20, stratify=True)).target.sum() == 1
    with pytest.raises(TrainingError, match=r"rows 2 are fewer than the 3 classes"):
        sampled(rows.assign(y=np.arange(2_000) % 3), model(2, stratify=True, task="multiclass"))


def test_rows_that_all_count_nothing_are_said() -> None:
    rows = table().assign(counts=[1.0] + [0.0] * 1_999)
    with pytest.raises(TrainingError, match=r"every weight of the 20 rows .* of 2,000 is 0"):
        fit(rows, model(20, stratify=True, training={"weight": "counts"}))


def test_what_cannot_be_is_refused_at_load() -> None:
    with pytest.raises(ValidationError, match=r"training\.sample\.stratify: .*has no classes"):
        model(100, stratify=True, task="regression")
    with pytest.raises(ValidationError, match=r"greater than or equal to 2"):
        model(1)


def test_the_facts_say_how_many_of_how_many() -> None:
    rows = table().assign(y=[1.0] * 50 + [0.0] * 1_950)
    facts = sampled_rows(rows, model(250, stratify=True))
    assert facts is not None
    assert facts.said == "200 of 1,950 of class 0, each for 9.75; all 50 of class 1"
    plain = sampled_rows(rows, model(250))
    assert plain is not None
    assert (plain.said, plain.drawn) == ("250 of 2,000 rows, each for 8", 250)
