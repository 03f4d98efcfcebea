"""The newest features of every entity, as they stand in the offline store."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.blocks.base import spelled_days
from mlops_assets.ml.data.batches import ROWS
from mlops_assets.ml.frames import TIMESTAMP, feature_columns
from mlops_assets.ml.stored_rows import row_batches
from mlops_assets.records.data import FeatureView, stored_name
from mlops_assets.scoring.asked import Asked, Batch


@dataclass(frozen=True)
class Snapshot:
    """Each entity by its newest row that is not older than the features' TTL.

    Without an entity it is every row.
    """

    file: Path
    """Of the offline store: the view's columns, under the names that it stores."""
    view: FeatureView
    now: datetime
    """What the age of features is measured against, as the endpoint does."""
    kind = "snapshot"
    ignored: Sequence[str] = ()

    @property
    def columns(self) -> list[str]:
        """See `Source.columns`; without an entity the key of a row is its `row`."""
        return self._read[self.view.entity is None :]

    @property
    def _read(self) -> list[str]:
        return [self.view.key.name, TIMESTAMP, *self.view.features]

    def digest(self) -> str:
        """See `Source.digest`."""
        with self.file.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        digest.update(self.view.model_dump_json().encode())
        return digest.hexdigest()

    def batches(self) -> Iterator[Batch]:
        """See `Source.batches`."""
        newest, start = self._newest(), 0
        names = [stored_name(name) for name in self._read]
        with pq.ParquetFile(self.file) as stored:
            for found in row_batches(stored, ROWS, names):
                mask, start = newest[start : start + len(found)], start + len(found)
                rows = pa.Table.from_batches([found]).select(names).rename_columns(self._read)
                rows = rows if mask.all() else rows.filter(pa.array(mask))
                places = start - len(found) + np.flatnonzero(mask)
                yield self._batch(rows.to_pandas(split_blocks=True), places)

    def _newest(self) -> np.ndarray:
        """Which rows are the newest of their entity."""
        names = [stored_name(self.view.key.name), TIMESTAMP]
        keys = pq.read_table(self.file, columns=names).to_pandas()
        if keys[names[0]].is_unique:
            return np.ones(len(keys), dtype=bool)
        last = keys.sort_values(TIMESTAMP, kind="stable").drop_duplicates(names[0], keep="last")
        return np.isin(np.arange(len(keys)), last.index)

    def _batch(self, rows: pd.DataFrame, places: np.ndarray) -> Batch:
        key = rows[self.view.key.name].to_numpy()
        moments = rows[TIMESTAMP].dt.tz_convert(None).to_numpy("datetime64[us]")
        features = feature_columns(rows, self.view.features)
        if self.view.entity is None:  # a row is what it is, however old
            return Batch(Asked(features, key, None, moments), pd.DataFrame())
        asked = Asked(features, places, key, moments)
        oldest = np.datetime64((self.now - self.view.ttl).replace(tzinfo=None), "us")
        if not (stale := moments < oldest).any():
            return Batch(asked, pd.DataFrame())
        bad = rows[stale].astype(object).map(str, na_action="ignore")
        moment = rows[TIMESTAMP][stale].map(lambda one: one.isoformat())
        said = f"is older than features.ttl, {spelled_days(self.view.ttl)}"
        reasons = [f"{TIMESTAMP}.ttl: '{one}' {said}" for one in moment]
        return Batch(asked.at(~stale), bad.assign(row=places[stale], reason=reasons))
