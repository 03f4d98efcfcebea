"""Rows that stay in their file while a model is trained and measured: as if they were in memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.errors import StateError, TrainingError
from mlops_assets.ml import stored_rows
from mlops_assets.ml.file_part import FilePart, in_memory
from mlops_assets.ml.frames import TIMESTAMP, Split
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.monitoring.profiles import profile_reference
from mlops_assets.ml.stored_rows import StoredRows
from mlops_assets.ml.training.fit import build_pipeline, fit, split
from mlops_assets.ml.training.learning_curve import learning_curve

pytestmark = pytest.mark.usefixtures("one_thread")
ROWS = 3_000
AT_RANDOM = {"by": "random", "fraction": 0.3}
BY_TIME = {"by": "time", "test": "5 days"}
FEW_TREES = {"estimator": "xgboost.XGBClassifier", "params": {"n_estimators": 8, "max_depth": 4}}


@pytest.fixture(autouse=True)
def many_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_rows, "VALUES", 2_000)


def model(task: str = "binary", *, external: bool = True, **training: Any) -> ModelSettings:
    training = {**FEW_TREES, "split": AT_RANDOM, "external_memory": external, **training}
    if task == "regression":
        training["estimator"] = "xgboost.XGBRegressor"
    columns = {"who": "int64", "x": "float64", "z": "float64", "kind": "string", "town": "string"}
    labels = {"w": "float64", "y": "string" if task == "multiclass" else "float64"}
    return ModelSettings.model_validate(
        {
            "name": "m",
            "source": {"uri": "x.csv"},
            "entity": {"name": "who"},
            "timestamp": "at",
            "contract": {
                "columns": {
                    "at": {"dtype": "datetime"},
                    **{name: {"dtype": kind} for name, kind in {**columns, **labels}.items()},
                }
            },
            "processing": {"categorical_encoding": {"kind": "one_hot", "town": "ordinal"}},
            "features": {"columns": ["x", "kind", "z", "town"], "ttl": "1d"},
            "target": {"name": "y", "task": task},
            "training": training,
            "evaluation": {"primary": "rmse" if task == "regression" else "log_loss"},
            "deployment": {"port": 18200},
        }
    )


def table(task: str = "binary") -> pd.DataFrame:
    """Rows by time and entity, of which some have no target, no town or no number."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    true = x + rng.normal(size=ROWS)
    y: dict[str, Any] = {
        "binary": (true > 0.5).astype(float),
        "regression": true,
        "multiclass": pd.Series(np.array(["no", "so", "yes"])[np.digitize(true, [-1, 1])]),
    }
    frame = pd.DataFrame(
        {
            "who": rng.integers(0, ROWS // 3, ROWS),
            TIMESTAMP: pd.Timestamp("2026-01-01", tz="UTC")
            + pd.to_timedelta(rng.integers(0, 30, ROWS), "D"),
            "y": y[task],
            "x": x,
            "kind": rng.choice(["a", "b", "c"], ROWS),
            "z": np.where(rng.uniform(size=ROWS) < 0.1, np.nan, rng.integers(0, 9, ROWS)),
            # One that only the last batch has, and none before.
            "town": np.where(
                np.arange(ROWS) > ROWS - 5, "zürich", rng.choice([None, "bern"], ROWS)
            ),
            "w": rng.uniform(size=ROWS),
        }
    )
    frame["y"] = frame["y"].where(rng.uniform(size=ROWS) > 0.05)
    return frame.drop_duplicates(["who", TIMESTAMP]).sort_values([TIMESTAMP, "who"])


def stored(rows: pd.DataFrame, folder: Path) -> StoredRows:
    file = folder / "features.parquet"
    rows.to_parquet(file, index=False, row_group_size=700)
    return StoredRows(file)


def both(
    tmp_path: Path, task: str = "binary", **training: Any
) -> tuple[tuple[Split[Any], ModelSettings], tuple[Split[Any], ModelSettings]]:
    """The parts of the same rows, in their file and in memory."""
    rows = table(task)
    file, frame = model(task, **training), model(task, external=False, **training)
    return (split(stored(rows, tmp_path), file), file), (split(rows, frame), frame)


@pytest.mark.parametrize("cut", [AT_RANDOM, BY_TIME])
@pytest.mark.parametrize("task", ["binary", "regression", "multiclass"])
def test_the_same_rows_are_held_out(task: str, cut: dict[str, Any], tmp_path: Path) -> None:
    (parts, _), (expected, _) = both(tmp_path, task, split=cut, weight="w")
    for part, frame in zip(parts, expected, strict=True):
        assert isinstance(part, FilePart)
        pd.testing.assert_frame_equal(in_memory(part), frame)
        assert len(part) == len(frame)
        assert part.size == frame.size
        pd.testing.assert_frame_equal(part.tail(3), frame.tail(3))
        pd.testing.assert_frame_equal(part.take([5, 2, 400]), frame.take([5, 2, 400]))
        assert part.take([]).empty
        pd.testing.assert_frame_equal(pd.concat(part.frames()), frame)
        assert max(map(len, part.frames())) < len(frame) / 2


def test_without_an_entity_the_same_rows_are_held_out(tmp_path: Path) -> None:
    settings = model()
    alone = {"entity": None, "timestamp": None}
    columns = {n: c for n, c in settings.contract.columns.items() if n not in ("who", "at")}
    contract = settings.contract.model_copy(update={"columns": columns})
    settings = settings.model_copy(update={**alone, "contract": contract})
    rows = table().rename(columns={"who": settings.key.name}).assign(**{TIMESTAMP: MOMENT})
    rows = rows.sort_values(settings.key.name)
    parts = split(stored(rows, tmp_path), settings)
    for part, frame in zip(parts, split(rows, settings), strict=True):
        pd.testing.assert_frame_equal(in_memory(part), frame)


MOMENT = pd.Timestamp("2026-01-01", tz="UTC").as_unit("ns")


@pytest.mark.parametrize(
    ("task", "training"),
    [
        ("binary", {}),
        ("binary", {"weight": "w", "class_weight": "balanced"}),
        ("binary", {"params": {"n_estimators": 9, "subsample": 0.5, "max_bin": 16}}),
        ("binary", {"params": {"n_estimators": 9, "booster": "dart", "rate_drop": 0.3}}),
        ("binary", {"impute": "zero", "seed": 5}),
        ("multiclass", {"split": BY_TIME}),
        ("regression", {"weight": "w"}),
    ],
)
def test_the_booster_is_the_one_that_memory_gives_to_the_last_byte(
    task: str, training: dict[str, Any], tmp_path: Path
) -> None:
    (parts, settings), (expected, in_frames) = both(tmp_path, task, **training)
    found, known = fit(parts.train, settings), fit(expected.train, in_frames)
    raw = [booster(one).save_raw() for one in (found, known)]
    assert raw[0] == raw[1]
    assert len(booster(found).get_dump()) > 1
    scores = Scored.of(found, parts.test, settings).scores
    np.testing.assert_array_equal(scores, Scored.of(known, expected.test, in_frames).scores)
    assert [*tmp_path.rglob("training/*")] == []


def booster(pipeline: Any) -> Any:
    last = pipeline[-1]
    return getattr(last, "estimators_", [last])[0].get_booster()


def test_what_follows_the_training_is_the_same(tmp_path: Path) -> None:
    (parts, settings), (expected, in_frames) = both(tmp_path)
    fitted = fit(expected.train, in_frames)
    found, known = (
        Scored.of(fitted, part, one)
        for part, one in ((parts.test, settings), (expected.test, in_frames))
    )
    assert learning_curve(found, parts, settings) == learning_curve(known, expected, in_frames)


def test_any_estimator_is_fitted_to_a_sample(tmp_path: Path) -> None:
    training = {
        "estimator": "sklearn.linear_model.LogisticRegression",
        "params": {},
        "scale": True,
        "impute": "median",
        "sample": {"rows": 500, "stratify": True},
    }
    (parts, settings), (expected, in_frames) = both(tmp_path, **training)
    found, known = fit(parts.train, settings), fit(expected.train, in_frames)
    np.testing.assert_array_equal(found[-1].coef_, known[-1].coef_)


def test_the_reference_profile_counts_the_same(tmp_path: Path) -> None:
    (parts, settings), (expected, _) = both(tmp_path)
    said = np.random.default_rng(0).uniform(size=len(expected.test))
    dtypes = settings.feature_dtypes
    found = profile_reference(parts.test.beside("prediction", said), dtypes)
    known = profile_reference(expected.test.assign(prediction=said), dtypes)
    assert found.rows == known.rows
    for name, column in known.columns.items():
        mine = found.columns[name]
        assert (mine.bins, mine.counts, mine.missing) == (
            column.bins,
            column.counts,
            column.missing,
        )
        np.testing.assert_allclose(mine.sums, column.sums)


def test_rows_in_another_order_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    rows = table().sort_values("x")
    with pytest.raises(StateError, match=r"not by time and entity; materialize m/features again"):
        split(stored(rows, tmp_path), model())


@pytest.mark.parametrize(
    ("training", "said"),
    [
        (
            {"estimator": "sklearn.linear_model.LogisticRegression", "params": {}},
            "is fitted in mem",
        ),
        ({"estimator": "lightgbm.LGBMClassifier", "params": {}}, "bound the fitted rows by"),
        ({"params": {"booster": "gblinear"}}, "booster: gblinear is fitted in memory"),
        ({"params": {"tree_method": "exact"}}, "remove that from training.params"),
    ],
)
def test_what_is_fitted_in_memory_is_refused(training: dict[str, Any], said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        build_pipeline(model(**training))


def test_target_encoding_is_refused() -> None:
    settings = model()
    encoded = {"categorical_encoding": {"kind": "target", "town": "ordinal"}}
    processing = settings.processing.model_copy(update=encoded)
    with pytest.raises(TrainingError, match=r"encoding of \['kind'\] is fitted in memory"):
        build_pipeline(settings.model_copy(update={"processing": processing}))


@pytest.mark.parametrize(
    "training",
    [
        {"scale": True},
        {"impute": "median"},
        {"early_stopping": {}},
        {"estimator": "auto", "params": {}},
        {"tune": {"params": {"gamma": {"type": "float", "low": 0, "high": 1}}}},
    ],
)
def test_what_needs_the_rows_in_memory_is_refused_as_the_yaml_is_read(
    training: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match="needs the rows in memory"):
        model(**training)


def test_an_infinite_value_of_any_batch_is_named(tmp_path: Path) -> None:
    rows = table()
    rows.loc[rows.index[-400], "x"] = np.inf
    parts = split(stored(rows, tmp_path), model(split=BY_TIME | {"test": "1 day"}))
    with pytest.raises(TrainingError, match=r"\['x'\] have infinite values"):
        fit(parts.train, model())
