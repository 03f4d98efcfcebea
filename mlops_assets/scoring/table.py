"""Rows that a user brings, as files or as a frame, read by the model's own source and contract."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_assets.blocks.data import ContractSettings, ProcessingSettings
from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.batches import TableFiles
from mlops_assets.ml.data.contract import Checked, SeenKeys, enforce
from mlops_assets.ml.data.marks import Marks
from mlops_assets.ml.data.parts import joined
from mlops_assets.ml.data.processing import process
from mlops_assets.ml.features.build import build_features
from mlops_assets.ml.features.dates import date_features
from mlops_assets.ml.features.snapshots import snapshot_times
from mlops_assets.ml.frames import TIMESTAMP, feature_columns, with_columns
from mlops_assets.scoring.asked import Asked, Batch


class Rows:
    """Rows of a flat table, each asked for; of an event log, each entity that it tells of."""

    def __init__(self, settings: ModelSettings, now: datetime) -> None:
        """Nothing is read yet; a datetime later than `now` breaks the contract."""
        self._settings, self._now = settings, now
        self._contract = needed(settings)

    def frames(self) -> Iterator[tuple[pd.DataFrame, Marks]]:
        """The columns that are asked for, part by part, and how their numbers are written."""
        raise NotImplementedError

    def batches(self) -> Iterator[Batch]:
        """See `Source.batches`."""
        if self._settings.features.shape == "event_log":
            yield self._of_events()
            return
        processing = without_training(self._settings, self._contract)
        for checked, places in self._checked():
            rows = checked.rows
            if processing.fill_na:
                rows = process(rows, processing)
            yield Batch(_asked(rows, places, self._settings, self._now), checked.bad)

    def _checked(self) -> Iterator[tuple[Checked, np.ndarray]]:
        """Rows that keep the contract, with their numbers in the input, and the others."""
        seen, start = SeenKeys() if self._contract.unique else None, 0
        for frame, written in self.frames():
            found = enforce(frame, self._contract, self._now, written, seen)
            places = np.delete(np.arange(start, start + len(frame)), found.bad["row"])
            bad = found.bad.assign(row=found.bad["row"] + start)
            yield Checked(found.rows, bad), places
            start += len(frame)

    def _of_events(self) -> Batch:
        """Each entity at the newest snapshot; its events may stand anywhere, so all are read."""
        checked = [one for one, _ in self._checked()]
        bad = pd.concat([one.bad for one in checked], ignore_index=True)
        settings = self._settings
        events = pd.concat([one.rows for one in checked], ignore_index=True)
        rows = process(events, settings.processing)
        if rows.empty:
            return Batch(_nothing(settings), bad)
        found = build_features(rows, at_newest(settings, rows))
        return Batch(
            Asked(
                feature_columns(found, settings.feature_dtypes),
                np.arange(len(found)),
                found[settings.key.name].to_numpy(),
                _naive(found[TIMESTAMP]),
            ),
            bad,
        )

    def _read_by(self) -> str:
        """What makes rows that are asked for of the input; what only stops a run makes none."""
        settings, contract = self._settings, self._contract
        processing = settings.processing
        if settings.features.shape == "flat_table":
            processing = without_training(settings, contract)
        update = {"contract": contract, "processing": processing}
        return settings.model_copy(update=update).model_dump_json(
            include={"source", "entity", "timestamp", "contract", "processing", "features"},
            exclude={
                "source": {"uri", "loader", "database", "table", "query", "watch"},
                "contract": ContractSettings.STOPS,
                "processing": {"categorical_encoding"},  # of the model's own pipeline
                "features": {"ttl", "clock"},  # of the endpoint
            },
        )


class Table(Rows):
    """Rows that a user brings as files."""

    kind = "table"

    def __init__(self, files: Sequence[Path], settings: ModelSettings, now: datetime) -> None:
        """As `Rows`; the files are written as `source` says, or as their names do."""
        super().__init__(settings, now)
        self._paths = files
        self._files = TableFiles(files, settings.source, self._contract.read_columns)

    @property
    def columns(self) -> list[str]:
        """See `Source.columns`."""
        return list(self._contract.columns)

    @property
    def ignored(self) -> list[str]:
        """See `Source.ignored`."""
        return list(self._files.ignored)

    def digest(self) -> str:
        """See `Source.digest`."""
        digest = hashlib.sha256(self._read_by().encode())
        for path in self._paths:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def frames(self) -> Iterator[tuple[pd.DataFrame, Marks]]:
        """See `Rows.frames`."""
        for table, source in self._files:
            yield (
                table.to_pandas(integer_object_nulls=True, split_blocks=True),
                Marks.written_in(source),
            )


class Frame(Rows):
    """Rows that a user has as a frame, under the names of the source or those of the contract."""

    def __init__(self, frame: pd.DataFrame, settings: ModelSettings, now: datetime) -> None:
        """As `Rows`."""
        super().__init__(settings, now)
        self._frame = frame

    def frames(self) -> Iterator[tuple[pd.DataFrame, Marks]]:
        """See `Rows.frames`."""
        sources = self._contract.source_names
        frame = joined(self._frame, self._contract)
        here = set(frame.columns)
        ours = {
            of: name for name, of in reversed(sources.items()) if of not in here and name in here
        }
        named = frame.rename(columns={name: of for of, name in ours.items()})
        asked_for = dict.fromkeys(of for of in sources.values() if of in named.columns)
        yield named[[*asked_for]], Marks.written_in(self._settings.source)


def needed(settings: ModelSettings) -> ContractSettings:
    """The contract of what is asked for: the columns that features, id and time are made of.

    What became of a row, its label or its weight, need not be known; what it is known by must be.
    """
    contract, features = settings.contract, settings.features
    asked = {settings.key.name, settings.timestamp_column, *features.columns}
    asked |= {date.column for date in features.dates.values()}
    aggregates = features.aggregates.values()
    asked |= {name for one in aggregates for name in (one.column, *one.where) if name is not None}
    unique = () if settings.target_column in {*contract.unique} - asked else contract.unique
    asked |= {*unique}
    if settings.processing.drop_duplicates and features.shape == "event_log":
        asked |= {*settings.kept_columns}
    keys = {settings.key.name, settings.timestamp_column} - settings.processing.fill_na.keys()
    columns = {
        name: rule.model_copy(update={"nullable": rule.nullable and name not in keys})
        for name, rule in contract.columns.items()
        if name in asked
    }
    return contract.model_copy(update={"columns": columns, "unique": unique})


def without_training(settings: ModelSettings, contract: ContractSettings) -> ProcessingSettings:
    """What processing does to rows that are asked for: who is there twice is answered twice."""
    filled = settings.processing.fill_na.items()
    update = {
        "drop_duplicates": False,
        "drop_columns": (),
        "fill_na": {name: value for name, value in filled if name in contract.columns},
    }
    return settings.processing.model_copy(update=update)


def at_newest(settings: ModelSettings, events: pd.DataFrame) -> ModelSettings:
    """The same model, whose only snapshot is the newest one of these events."""
    features = settings.features
    if features.snapshots is None:
        return settings
    newest = events[settings.timestamp_column].max()
    last = snapshot_times(features.snapshots, newest)[-1].to_pydatetime()
    snapshots = features.snapshots.model_copy(update={"start": last})
    update = {"features": features.model_copy(update={"snapshots": snapshots})}
    return settings.model_copy(update=update)


def _asked(rows: pd.DataFrame, places: np.ndarray, settings: ModelSettings, now: datetime) -> Asked:
    moments = pd.Series(pd.Timestamp(now), index=rows.index)
    if settings.timestamp is not None:
        moments = rows[settings.timestamp].dt.floor("us")
    if settings.features.dates:
        rows = with_columns(rows, date_features(rows, moments, settings))
    return Asked(
        feature_columns(rows, settings.feature_dtypes),
        places,
        rows[settings.entity.name].to_numpy() if settings.entity else None,
        _naive(moments),
    )


def _nothing(settings: ModelSettings) -> Asked:
    none = pd.DataFrame({name: [] for name in settings.feature_dtypes})
    empty = np.empty(0, dtype="datetime64[us]")
    return Asked(feature_columns(none, settings.feature_dtypes), np.arange(0), np.arange(0), empty)


def _naive(moments: pd.Series) -> np.ndarray:
    return moments.dt.tz_convert(None).to_numpy("datetime64[us]")
