"""Rows that are asked for as a frame: by the contract, under its names or the source's."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.notebook.scores import _with_refused
from mlops_assets.scoring.asked import Asked, Batch
from mlops_assets.scoring.requests import Answers
from mlops_assets.scoring.table import Frame
from tests.support.toy_models import SHOP, event_log, flat_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def one(frame: pd.DataFrame, settings: ModelSettings) -> Batch:
    (batch,) = Frame(frame, settings, NOW).batches()
    return batch


def renamed() -> ModelSettings:
    """A flat table whose source calls its columns otherwise."""
    attributes = flat_table({"size": "float64", "y": "int64"}).model_dump(mode="json")
    columns = attributes["contract"]["columns"]
    columns["size"] |= {"from": "Größe (cm)", "min": 0}
    columns["id"] |= {"from": "Nr."}
    return ModelSettings.model_validate(attributes)


def test_columns_may_have_the_names_of_the_source_or_of_the_contract() -> None:
    moments = pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True)
    theirs = pd.DataFrame({"Nr.": [7, 8], "at": moments, "Größe (cm)": ["1.5", "2"], "note": "x"})
    ours = theirs.rename(columns={"Nr.": "id", "Größe (cm)": "size"})
    for frame in (theirs, ours):
        batch = one(frame, renamed())
        assert batch.asked.features["size"].tolist() == [1.5, 2.0]
        assert batch.asked.entities is not None
        assert batch.asked.entities.tolist() == [7, 8]
        assert batch.bad.empty


def test_texts_are_read_by_the_marks_of_the_source_and_numbers_as_they_are() -> None:
    attributes = renamed().model_dump(mode="json")
    attributes["source"] |= {"decimal": ",", "thousands": "."}
    settings = ModelSettings.model_validate(attributes)
    moments = pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True)
    for size in (["7.500", "1,5"], [7500.0, 1.5]):
        frame = pd.DataFrame({"Nr.": ["7", "8"], "at": moments, "Größe (cm)": size})
        batch = one(frame, settings)
        assert batch.bad.empty
        assert batch.asked.features["size"].tolist() == [7500.0, 1.5]


def test_of_events_each_entity_is_asked_for_at_the_newest_snapshot() -> None:
    asked = one(SHOP, event_log()).asked
    assert asked.entities is not None
    counts = dict(zip(asked.entities.tolist(), asked.features["n"].tolist(), strict=True))
    assert counts == {3: 1.0, 5: 1.0, 7: 4.0}


def test_a_row_that_is_refused_stands_in_its_place_with_the_reason_and_long_ids_stay() -> None:
    long = 2**53 + 1
    answered = pd.DataFrame({"row": [0, 2], "id": [long, 5], "prediction": [0.1, 0.2]})
    none = Asked({}, np.array([3]), None, np.array([], dtype="datetime64[us]"))
    bad = pd.DataFrame({"row": [1], "reason": ["size.min: '-1' is below 0"]})
    answers = Answers(none, np.empty((0, 1)), none, ["its answer is not finite"])
    found = _with_refused(answered, Batch(none, bad), answers, 4)
    assert found["id"].iloc[0] == long
    assert found["id"].isna().tolist() == [False, True, False, True]
    said = [None, "size.min: '-1' is below 0", None, "its answer is not finite"]
    assert found["refused"].tolist() == said
