"""Rows are asked for in requests, in order; what the model refuses is told apart from the rest."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlops_assets.records.serving import Manifest, OnlineFeatures
from mlops_assets.scoring.answers import Spoken
from mlops_assets.scoring.asked import Asked, Batch, in_requests
from mlops_assets.scoring.requests import Requests
from mlops_assets.serving.version.model import load_servable
from resources.endpoints.folder import EndpointFolder
from tests.support.served.served_models import build


def asked(spend: list[float], name: list[object]) -> Asked:
    features = {"spend": np.array(spend), "class": np.array(name, dtype=object)}
    places = np.arange(len(spend))
    return Asked(features, places, None, np.full(len(spend), "2024-01-01", "datetime64[us]"))


@pytest.mark.parametrize("sizes", [[10], [3, 3, 4], [1] * 10, [0, 7, 3], [4, 6], [9, 0, 1]])
def test_however_rows_come_they_are_asked_for_in_whole_requests(sizes: list[int]) -> None:
    rows, start, batches = asked(list(range(10)), ["x"] * 10), 0, []
    for number, size in enumerate(sizes):
        bad = pd.DataFrame({"row": [number]})
        batches.append(Batch(rows.at(slice(start, start + size)), bad))
        start += size
    found = list(in_requests(batches, 4))
    lengths = [len(batch.asked) for batch in found if len(batch.asked)]
    assert all(length % 4 == 0 for length in lengths[:-1])
    assert np.concatenate([batch.asked.places for batch in found]).tolist() == list(range(10))
    bad = [row for batch in found if len(batch.bad) for row in batch.bad["row"]]
    assert bad == list(range(len(sizes)))


@pytest.mark.parametrize("onnx", [True, False])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_by_columns_each_row_gets_the_scores_it_gets_alone(
    task, onnx: bool, tmp_path: Path
) -> None:
    built = build(tmp_path / "registered", task=task, onnx=onnx)
    folder = EndpointFolder(tmp_path).stage(built.servable, built.model_file, built.recorded)
    model = load_servable(folder)
    rng = np.random.default_rng(0)
    rows = asked([*rng.normal(size=38), np.nan, 1e300], [*rng.choice(list("xyzw"), 39), np.nan])
    plain = pd.DataFrame(rows.features).astype(object)
    records = plain.where(plain.notna(), None).to_dict("records")
    found = Requests(model, 40).answers(rows)
    assert found.scores.tolist() == model.scores(records).tolist()
    assert not found.reasons


@pytest.mark.parametrize("task", ["binary", "multiclass"])
@pytest.mark.parametrize("rows", [0, 2])
def test_where_no_row_is_answered_the_tables_are_empty(task, rows: int, tmp_path: Path) -> None:
    built = build(tmp_path / "registered", task=task, accepts_missing=False, onnx=False)
    folder = EndpointFolder(tmp_path).stage(built.servable, built.model_file, built.recorded)
    found = Requests(load_servable(folder), 40).answers(asked([np.inf] * rows, ["x"] * rows))
    assert (len(found.asked), len(found.refused)) == (0, rows)
    online = OnlineFeatures.model_construct(as_of=None)
    manifest = Manifest.model_construct(generation=1, online=online)
    spoken = Spoken(built.servable, manifest, "b", "table", datetime(2026, 1, 1, tzinfo=UTC))
    for table in (spoken.table(found), spoken.log(found)):
        assert table.num_rows == 0
    assert spoken.table(found).schema.field("prediction").type in (pa.string(), pa.float64())


@pytest.mark.parametrize("onnx", [True, False])
def test_only_what_the_model_refuses_is_set_apart(onnx: bool, tmp_path: Path) -> None:
    built = build(tmp_path / "registered", accepts_missing=False, onnx=onnx)
    folder = EndpointFolder(tmp_path).stage(built.servable, built.model_file, built.recorded)
    model = load_servable(folder)
    rows = asked([1.0, np.nan, 2.0, np.inf, 3.0, np.nan, 4.0], list("xyzxyzx"))
    found = Requests(model, 4).answers(rows)
    refused = [1, 5] if onnx else [1, 3, 5]  # of infinity the graph is sure
    assert found.refused.places.tolist() == refused
    assert found.asked.places.tolist() == [row for row in range(7) if row not in refused]
    good = rows.at(found.asked.places)
    np.testing.assert_allclose(found.scores, model.score_columns(good.features), rtol=1e-15)
    assert all(found.reasons)
    if not onnx:
        assert "NaN" in found.reasons[0]
        assert "infinity" in found.reasons[1]


def test_of_many_rows_with_the_same_gap_the_model_is_asked_once(tmp_path: Path) -> None:
    built = build(tmp_path / "registered", accepts_missing=False, onnx=False)
    folder = EndpointFolder(tmp_path).stage(built.servable, built.model_file, built.recorded)
    model, calls = load_servable(folder), []

    def counted(columns):
        calls.append(len(columns["spend"]))
        return model.score_columns(columns)

    rows = asked([np.nan, 1.0] * 50, ["x"] * 100)
    found = Requests(replace(model, score_columns=counted), 10).answers(rows)
    assert len(found.refused) == len(found.asked) == 50
    assert len(calls) == 10 * 2 + 1
