"""Labels of logged predictions: those of training, as far as they are known."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.errors import FeatureError
from mlops_assets.ml import stored_rows
from mlops_assets.ml.features.build import build_features, build_labels
from mlops_assets.ml.features.labelled import rows_until
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.monitoring.outcomes import (
    known_labels,
    known_until,
    predicted_moments,
    with_outcomes,
)
from mlops_assets.ml.stored_rows import StoredRows
from tests.support.toy_models import SHOP, event_log, flat_table


def logged(*rows: tuple[object, str]) -> pd.DataFrame:
    entities, moments = zip(*rows, strict=True)
    times = pd.to_datetime(pd.Series(moments), utc=True)
    columns = {"entity": pd.Series(entities, dtype=object), "features_as_of": times}
    return pd.DataFrame({**columns, "event_time": times, "model_version": 1, "score": 0.5})


@pytest.mark.parametrize("stored", [False, True])
def test_the_label_is_the_one_that_training_gives(
    stored: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model = event_log()
    features = build_features(SHOP, model)
    expected = build_labels(SHOP, features, model)
    asked = features[["customer", TIMESTAMP]].set_axis(["entity", "features_as_of"], axis=1)
    keys = predicted_moments(asked.astype({"entity": object}), model)
    monkeypatch.setattr(stored_rows, "ROWS", 2)
    SHOP.to_parquet(tmp_path / "rows.parquet", index=False)
    rows = StoredRows(tmp_path / "rows.parquet") if stored else SHOP
    assert known_labels(rows, keys, model).equals(expected)
    newest = SHOP["at"].max().to_pydatetime()
    assert known_until(rows, model, datetime(2030, 1, 1, tzinfo=UTC)) == newest
    nothing = rows_until(rows, model, datetime(2000, 1, 1, tzinfo=UTC))
    assert known_until(nothing, model, newest) is None
    assert known_labels(nothing, keys, model).empty


def test_a_label_is_not_known_before_its_window_ends():
    model = event_log()
    keys = predicted_moments(logged((7, "2024-01-21"), (7, "2024-01-22")), model)
    known = known_labels(SHOP, keys, model)  # the window is 10 days, the newest event 01-31
    assert known[TIMESTAMP].tolist() == [pd.Timestamp("2024-01-21", tz="UTC")]
    assert known_labels(SHOP.head(3), keys, model).empty


def test_a_flat_table_labels_the_rows_whose_target_arrived():
    model = flat_table({"x": "float64", "y": "float64"})
    at = pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True)
    rows = pd.DataFrame({"id": [1, 2], "at": at, "x": 0.0, "y": [1.0, None]})
    keys = predicted_moments(logged((1, "2024-01-01"), (2, "2024-01-02")), model)
    known = known_labels(rows, keys, model)
    assert known[["id", "y"]].to_numpy().tolist() == [[1, 1]]


def test_two_labels_of_one_moment_are_refused_with_the_remedy():
    model = flat_table({"x": "float64", "y": "float64"})
    rows = pd.DataFrame({"id": [1, 1], "x": 0.0, "y": [1.0, 0.0]})
    rows["at"] = pd.Timestamp("2024-01-01", tz="UTC")
    keys = predicted_moments(logged((1, "2024-01-01")), model)
    with pytest.raises(FeatureError, match=r"1 rows repeat an entity .* contract\.unique"):
        known_labels(rows, keys, model)


def test_a_moment_asked_twice_counts_once_and_a_missing_label_stays_open():
    model = event_log()
    predictions = pd.concat(
        [logged((7, "2024-01-11"), (3, "2024-01-11")), logged((7, "2024-01-11"))]
    )
    predictions["event_time"] += pd.to_timedelta(range(3), unit="h")
    predictions["score"] = [0.1, 0.2, 0.9]
    labels = pd.DataFrame({"customer": [7], TIMESTAMP: predictions["features_as_of"].iloc[:1]})
    labels[TIMESTAMP] = labels[TIMESTAMP].astype("datetime64[ns, UTC]")
    joined = with_outcomes(predictions, labels.assign(y=1), model).set_index("entity")
    assert joined.loc[7, ["score", "label"]].tolist() == [0.9, 1]
    assert pd.isna(joined.loc[3, "label"])


def test_rows_sent_with_their_features_have_no_label():
    model = event_log()
    assert predicted_moments(logged((None, "2024-01-11")), model).empty


@pytest.mark.parametrize("ids", [(2**53 + 1, 2**53 + 2, None), (2**63 - 1, -(2**63), None)])
def test_large_ids_find_their_labels_beside_rows_without_one(ids):
    model = flat_table({"x": "float64", "y": "float64"})
    at = pd.to_datetime(["2024-01-01"] * 2, utc=True)
    rows = pd.DataFrame({"id": ids[:2], "at": at, "x": 0.0, "y": [1.0, 0.0]})
    predictions = logged(*((one, "2024-01-01") for one in ids)).astype({"entity": "Int64"})
    labels = known_labels(rows, predicted_moments(predictions, model), model)
    joined = with_outcomes(predictions, labels, model)
    assert joined[["entity", "label"]].astype(object).to_numpy().tolist() == [
        [ids[0], 1],
        [ids[1], 0],
    ]


def test_ids_of_another_type_than_the_entity_has_by_now_have_no_label():
    model = flat_table({"x": "float64", "y": "float64"})
    asked = logged(("7", "2024-01-01"), ("anna", "2024-01-01"))
    assert predicted_moments(asked, model)["id"].tolist() == [7]


def test_of_a_table_without_times_the_newest_delivery_says_what_became_of_it():
    model = flat_table({"x": "float64", "y": "float64"}).model_copy(update={"timestamp": None})
    later = pd.Timestamp("2024-03-01", tz="UTC")
    rows = pd.DataFrame({"id": [1, 2, 1], "x": 0.0, "y": [1.0, None, 0.0]})
    rows[model.timestamp_column] = [later - pd.Timedelta("1us"), later, later]
    keys = predicted_moments(logged((1, "2024-01-01"), (1, "2024-02-01"), (2, "2024-01-01")), model)
    known = known_labels(rows, keys, model)
    assert known["y"].tolist() == [0, 0], "the last row of an entity is its newest"
    assert known[TIMESTAMP].tolist() == list(pd.to_datetime(["2024-01-01", "2024-02-01"], utc=True))


def test_without_an_entity_every_answer_is_kept_for_the_estimate_and_none_has_a_label():
    model = flat_table({"x": "float64", "y": "float64"}).model_copy(update={"entity": None})
    answers = logged((None, "2024-01-01"), (None, "2024-01-01"))
    joined = with_outcomes(answers, pd.DataFrame(), model)
    assert joined["score"].tolist() == [0.5, 0.5]
    assert joined["label"].isna().all()
