"""What serving is asked, and when its answer is the one that was expected."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.ml.features.agreement import SAMPLED_ENTITIES, answers_alike, newest_rows
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView

VIEW = FeatureView(
    name="plant",
    entity=EntitySettings(name="sensor"),
    features={"heat": "float64"},
    ttl=timedelta(days=30),
)
SHARES = {"prediction": "b", "probabilities": {"a": 0.2, "b": 0.5, "c": 0.3}}


def measured(*rows: tuple[int, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["sensor", TIMESTAMP, "heat"])
    return frame.assign(**{TIMESTAMP: pd.to_datetime(frame[TIMESTAMP], utc=True)})


def test_of_entities_that_recur_the_newest_row_of_each_is_compared():
    rows = measured(
        (1, "2026-01-01", 1.0), (2, "2026-01-01", 2.0), (1, "2026-01-02", 3.0), (1, "2026-01-03", 4)
    )
    found = newest_rows(rows, VIEW)
    assert found[["sensor", "heat"]].to_numpy().tolist() == [[2, 2.0], [1, 4.0]]


def test_what_the_ttl_has_taken_from_the_store_is_not_compared():
    rows = measured((1, "2026-01-01", 1.0), (2, "2026-01-31", 2.0), (3, "2026-02-10", 3.0))
    assert newest_rows(rows, VIEW)["sensor"].tolist() == [2, 3]
    later = datetime(2026, 3, 5, tzinfo=UTC)  # by the clock of requests
    assert newest_rows(rows, VIEW, later)["sensor"].tolist() == [3]
    assert newest_rows(rows, VIEW, datetime(2025, 1, 1, tzinfo=UTC))["sensor"].tolist() == [2, 3]


def test_the_sample_is_of_entities_not_of_rows():
    moments = pd.date_range("2026-01-01", periods=50, freq="h", tz="UTC")
    rows = pd.DataFrame(
        [(sensor, moment, 0.0) for moment in moments for sensor in range(30)],
        columns=["sensor", TIMESTAMP, "heat"],
    )
    found = newest_rows(rows, VIEW)
    assert found["sensor"].nunique() == len(found) == SAMPLED_ENTITIES
    assert (found[TIMESTAMP] == moments[-1]).all()


def test_shares_are_compared_by_their_class():
    swapped = {**SHARES, "probabilities": {"a": 0.3, "b": 0.5, "c": 0.2}}
    classes, scores = ("a", "b", "c"), [0.2, 0.5, 0.3]
    assert answers_alike(SHARES, scores, 1e-9, classes)
    assert not answers_alike(swapped, scores, 1e-9, classes)
    assert not answers_alike(swapped, scores, 1e-9)


def test_the_order_of_an_answer_does_not_matter():
    turned = {**SHARES, "probabilities": {"c": 0.3, "a": 0.2, "b": 0.5}}
    assert answers_alike(turned, [0.2, 0.5, 0.3], 1e-9, ("a", "b", "c"))


@pytest.mark.parametrize(
    "answer",
    [
        {**SHARES, "prediction": "c"},
        {**SHARES, "prediction": "d"},
        {**SHARES, "probabilities": {"a": 0.2, "b": 0.5, "d": 0.3}},
        {**SHARES, "probabilities": {"a": 0.2, "b": 0.8}},
        {**SHARES, "probabilities": {"a": 0.2, "b": 0.5, "c": float("nan")}},
        {"prediction": 0.5},
        {"error": {"code": "unknown_entity"}},
    ],
)
def test_another_class_name_or_number_is_another_answer(answer):
    assert not answers_alike(answer, [0.2, 0.5, 0.3], 1e-9, ("a", "b", "c"))


@pytest.mark.parametrize(
    ("served", "expected", "alike"),
    [(0.5, 0.5, True), (-0.0, 0.0, True), (0.5, 0.51, False), (float("nan"), float("nan"), False)],
)
def test_a_single_number_is_compared_as_it_is(served, expected, alike):
    assert answers_alike({"prediction": served}, [expected], 1e-9) is alike
