"""Any table is read as it was written: each row is good and exact, or bad with its reason."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError
from mlops_assets.ml.data.contract import Checked, enforce
from mlops_assets.ml.data.marks import Marks
from mlops_assets.ml.data.processing import identified
from mlops_assets.ml.data.reading import read_table
from mlops_assets.ml.features.build import build_features, build_labels
from mlops_assets.ml.frames import TIMESTAMP
from tests.worlds.effort import worlds
from tests.worlds.tables import World, tables
from tests.worlds.values.zones import process_zone

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def settings_of(world: World, folder: str) -> ModelSettings | None:
    """None where its names are refused at load."""
    try:
        return ModelSettings.model_validate(world.write(Path(folder)))
    except ValidationError:
        return None


def checked(world: World, settings: ModelSettings) -> Checked:
    columns = tuple(settings.contract.source_names.values())
    source, files = settings.source, [Path(str(settings.source.uri))]
    marks = Marks.written_in(source)
    with process_zone(world.zone):
        rows = read_table(files, source, columns, settings.contract.extra_columns)
        return enforce(rows, settings.contract, NOW, marks)


@worlds(60)
@given(tables())
def test_ids_moments_and_values_are_read_exactly(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(world, folder)
        if settings is None:
            return
        rows, bad = checked(world, settings)

    assert len(bad) == 0, bad["reason"].tolist()
    for name in world.keys:
        assert rows[name].tolist() == world.frame[name].tolist()
    for name in (*world.features, world.target):
        read, written = rows[name], world.frame[name]
        assert read.isna().tolist() == written.isna().tolist()
        assert read.dropna().tolist() == written.dropna().tolist()


@worlds(60)
@given(tables())
def test_features_and_labels_stand_beside_the_id_and_moment_they_came_with(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_of(world, folder)
        if settings is None:
            return
        rows, _ = checked(world, settings)
    rows = identified(rows, settings, NOW)
    given = identified(world.frame, settings, NOW)
    # Finer fractions of a moment than its microseconds are dropped.
    moments = given[settings.timestamp_column].dt.floor("us")
    given = given.set_index([given[settings.key.name], moments])
    if given.index.has_duplicates:
        with pytest.raises(FeatureError, match="repeat an entity and timestamp"):
            build_features(rows, settings)
        return

    features = build_features(rows, settings)
    labels = build_labels(rows, features, settings)

    assert len(features) == len(given)
    for frame, names in ((features, world.features), (labels, ())):
        for row in frame.to_dict("records"):
            written = given.loc[[(row[settings.key.name], row[TIMESTAMP])]].iloc[0]
            for name in names:
                equal = row[name] == written[name]
                assert equal or pd.isna(row[name]) == pd.isna(written[name]) is True, (row, written)
