"""A view's offline features: one Parquet file, as Feast has it registered, and rows as of a time.

The join is Feast's `get_historical_features`, with the same result, whose plan holds every match
within the TTL before it takes the newest: 73 times the CPU of this one with a month of daily rows.
They differ in two things alone: of two rows of one entity and moment Feast takes any and this the
one that was published last, and of what is asked for a moment finer than a microsecond the rest is
left out, as it is of what is stored.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.errors import FeatureStoreError
from mlops_assets.ml.features.point_in_time import Ids, Rows, newest_known
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.stored_rows import ROWS, row_batches
from mlops_assets.records.data import FeatureView, stored_name

_MICROSECOND = timedelta(microseconds=1)


class OfflineFeatures(NamedTuple):
    """What Feast has registered of a view, in the names that are stored."""

    file: Path
    entity: str
    timestamp: str
    features: Mapping[str, Literal["float64", "string"]]
    ttl: timedelta | None
    """None: what is known stays so."""

    def as_of(
        self, keys: pd.DataFrame, entity: str, features: Mapping[str, str]
    ) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
        """The keys by time and entity, and for each the features that were known then.

        Args:
            keys: A column `entity`, `event_timestamp` (UTC), and whatever else.
            entity: What it is called there.
            features: What each is called that is wanted -> as which it is stored.

        Returns:
            The columns of features are float64 with NaN, or `str` with None, for no value.
        """
        if missing := [name for name, stored in features.items() if stored not in self.features]:
            raise FeatureStoreError(
                f"{self.file} was published without the features {missing}; "
                "materialize the features again"
            )
        with pq.ParquetFile(self.file) as file:
            known = self._known(file)
            asked = self._asked(keys, entity, known)
            if (order := asked.in_order()) is not None:
                asked, keys = asked.take(order), keys.take(order)
            ttl = self.ttl // _MICROSECOND if self.ttl else None
            places = newest_known(asked, known, ttl)
            del known, asked
            # One at a time, since beside it stand what is read and what is made of it.
            read = {"string": _texts, "float64": _Numbers(file.metadata.num_rows).read}
            columns = {
                name: read[self.features[stored]](file, stored, places)
                for name, stored in features.items()
            }
        return keys.reset_index(drop=True), columns

    def _known(self, file: pq.ParquetFile) -> Rows:
        table = file.read(columns=[self.entity, self.timestamp])
        moments = table[self.timestamp].cast(pa.timestamp("us", "UTC")).cast(pa.int64())
        return Rows(Ids.of(table[self.entity]), moments.to_numpy())

    def _asked(self, keys: pd.DataFrame, entity: str, known: Rows) -> Rows:
        kind = known.ids.distinct.type
        try:
            ids = Ids.of(pa.array(keys[entity], type=kind, from_pandas=True))
        except pa.ArrowException as err:
            raise FeatureStoreError(
                f"{self.file} was published with ids of type {kind}, not as they are asked for: "
                f"{err}; materialize the features again"
            ) from err
        return Rows(ids, pd.DatetimeIndex(keys[TIMESTAMP]).as_unit("us").asi8)


def write_features(
    path: Path, rows: pd.DataFrame, write: Callable[[Path, Callable[[Path], object]], None]
) -> None:
    """Let `write` write the feature file: the rows in their order, columns as they are stored."""
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()
    # Feast's DuckDB cannot cast nanoseconds; the moments are of whole microseconds.
    moments = pa.array(pd.DatetimeIndex(rows[TIMESTAMP]).as_unit("us"))
    table = table.set_column(table.column_names.index(TIMESTAMP), TIMESTAMP, moments)
    table = table.rename_columns([stored_name(name) for name in table.column_names])
    write(path, lambda file: pq.write_table(table, file))


def _texts(file: pq.ParquetFile, name: str, places: np.ndarray) -> np.ndarray:
    """A feature of the rows at these places; None at -1."""
    texts = Ids.of(file.read(columns=[name])[name].cast(pa.string()))
    values = np.array([*texts.distinct.to_pylist(), None], dtype=object)
    return values[np.append(texts.codes, len(values) - 1)[places]]


class _Numbers:
    """Reads one column after the other into the same memory: fresh one costs more than the rest."""

    def __init__(self, rows: int) -> None:
        self._values = np.full(rows + 1, np.nan)

    def read(self, file: pq.ParquetFile, name: str, places: np.ndarray) -> np.ndarray:
        """A feature of the rows at these places; NaN at -1, which is the last place."""
        start = 0
        for batch in row_batches(file, ROWS, [name]):
            numbers = batch.column(0).cast(pa.float64()).to_numpy(zero_copy_only=False)
            self._values[start : start + len(numbers)] = numbers
            start += len(numbers)
        return self._values[places]


def registered(store: Any, view: FeatureView) -> OfflineFeatures:
    """What Feast says a view is, of the file that was registered."""
    from feast.types import String

    known = store.get_feature_view(view.name)
    return OfflineFeatures(
        file=Path(known.batch_source.path),
        entity=known.join_keys[0],
        timestamp=known.batch_source.timestamp_field,
        features={
            field.name: "string" if field.dtype == String else "float64" for field in known.features
        },
        ttl=known.ttl or None,
    )
