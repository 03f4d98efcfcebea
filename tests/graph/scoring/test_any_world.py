"""In any world a batch says what the endpoint's code says of the same rows, to the last bit."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.sources import find_files
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.scoring import BatchSummary
from mlops_assets.scoring.batch import Batches
from mlops_assets.scoring.table import Table
from mlops_assets.serving.api.predict import Asked, predict_rows
from mlops_assets.serving.online.lookup import NoLookup
from mlops_assets.serving.version.active import Active
from mlops_assets.serving.version.prediction_log import PredictionLogWriter
from mlops_assets.serving.wire.requests import RequestDecoder
from tests.support.fakes.features import FakeFeatureStore
from tests.support.loans import fake_resources
from tests.support.runs.pipeline_runs import materialize
from tests.worlds.effort import worlds
from tests.worlds.tables import World, tables
from tests.worlds.values.zones import process_zone

MAX_ROWS = 23
"""Of a request: so few that there are several, and enough for the checks of a deployment."""
EVER = datetime(1, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@pytest.mark.filterwarnings("ignore:An ill-conditioned matrix")  # Ridge, of values like 1e300
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")  # LogisticRegression, of the same
def test_a_batch_says_what_the_endpoint_says() -> None:
    scored: list[int] = []

    @worlds(6, shrink=False)
    @given(tables().filter(is_trainable))
    def in_a_world(world: World) -> None:
        scored.append(rows_scored(world))

    in_a_world()
    assert sum(rows > MAX_ROWS for rows in scored) >= 3, "who scores nothing makes no mistake"


def is_trainable(world: World) -> bool:
    """Whether there is something to learn: that the others are refused is tested elsewhere."""
    differ = world.frame[[*world.features, world.target]].nunique().min() >= 2
    return world.plain and len(world.frame) >= 40 and differ


def rows_scored(world: World) -> int:
    """How many rows of the table were answered as they must be; 0 where no version serves."""
    with tempfile.TemporaryDirectory() as folder, process_zone(world.zone):
        try:
            yaml = world.write(Path(folder, "source"))
            yaml["deployment"] = {**yaml["deployment"], "max_rows": MAX_ROWS}
            primary, anything = yaml["evaluation"]["primary"], {"max": 1e300}
            yaml["evaluation"] = {"primary": primary, "gate": {"limits": {primary: anything}}}
            settings = ModelSettings.model_validate(yaml)
        except ValidationError:
            return 0
        resources = fake_resources(Path(folder, "state"))
        with dg.DagsterInstance.ephemeral() as instance:
            if not materialize(settings, resources, instance).success:
                return 0
        batches = Batches.of(settings, resources["deployment"], resources["predictions"])
        everybody = batches.score(batches.snapshot(resources["feature_store"]))
        said_as_the_endpoint_says(batches, everybody, resources)
        files = find_files(str(settings.source.uri))
        moment = datetime.now(UTC) + timedelta(days=1)
        table = batches.score(Table(files, settings, moment))
        said_as_the_endpoint_says(batches, table, resources)
        made_of_the_published_features(batches, table, resources)
        return table.rows


def said_as_the_endpoint_says(
    batches: Batches, summary: BatchSummary, resources: dict[str, Any]
) -> None:
    """What is written is what the endpoint's own code answers, asked for the logged features."""
    found, model = pd.read_parquet(summary.output), batches.model
    logged = of_batch(summary, resources)
    if "row" in found:  # of a model without an entity the number of the processed row
        assert sorted(found["row"]) == logged["row"].tolist()
        # As they were asked for: in the last bits it matters which rows are scored together.
        logged = logged.set_index("row").loc[found["row"]]
    names = list(model.servable.features)
    features = logged[[f"feature_{name}" for name in names]].set_axis(names, axis=1)
    features = features.astype(object).where(features.notna(), None)
    writer = PredictionLogWriter(Path(resources["predictions"].endpoints, "nowhere"))
    decoder = RequestDecoder(model.servable, MAX_ROWS)
    active = Active(batches.manifest, model, NoLookup(), decoder, writer)
    rows, answers = features.to_dict("records"), []
    for start in range(0, len(rows), MAX_ROWS):
        answers += predict_rows(active, Asked(rows[start : start + MAX_ROWS], logged=False))
    assert len(found) == len(answers) == summary.rows
    assert found["prediction"].tolist() == [answer["prediction"] for answer in answers]
    if model.servable.classes:
        assert found["probabilities"].tolist() == [answer["probabilities"] for answer in answers]
    if model.servable.categories:
        unseen = [None if one is None else list(one) for one in found["unseen_categories"]]
        assert unseen == [answer.get("unseen_categories") for answer in answers]


def made_of_the_published_features(
    batches: Batches, summary: BatchSummary, resources: dict[str, Any]
) -> None:
    """The source itself, brought as a table, has the features that the graph made of it."""
    settings, logged = batches.settings, of_batch(summary, resources)
    store = resources["feature_store"]
    assert isinstance(store, FakeFeatureStore)
    view = batches.snapshot(store).view
    published = store._published(view)
    if settings.timestamp is None or settings.entity is None:
        assert len(logged) >= len(published)
        return
    keys = {"entity": settings.entity.name, "features_as_of": TIMESTAMP}
    names = {f"feature_{name}": name for name in settings.feature_dtypes}
    ours = logged[[*keys, *names]].rename(columns={**keys, **names}).drop_duplicates()
    columns = [*keys.values(), *names.values()]
    as_texts = [
        frame[columns].assign(**{TIMESTAMP: frame[TIMESTAMP].dt.as_unit("us")}).map(spelled)
        for frame in (ours, published)
    ]
    left, right = ({tuple(row) for row in frame.to_numpy()} for frame in as_texts)
    assert left == right


def spelled(value: object) -> str:
    """A value so that equal ones are spelled alike."""
    if isinstance(value, float | np.floating):
        return repr(float(value))
    return "None" if value is None or value is pd.NA else str(value)


def of_batch(summary: BatchSummary, resources: dict[str, Any]) -> pd.DataFrame:
    """The rows of the log by their number, mostly the order in which they were asked for."""
    logged = resources["predictions"].read(summary.model, *EVER)
    ours = logged[logged["request_id"] == summary.batch]
    assert len(ours) == summary.logged == summary.rows
    return ours.sort_values("row", kind="stable")
