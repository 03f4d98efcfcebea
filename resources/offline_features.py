"""A view's offline features: one Parquet file, as Feast has it registered, and rows as of a time.

The join is Feast's `get_historical_features`, with the same result, whose plan holds every match
within the TTL before it takes the newest: 73 times the CPU of this one with a month of daily rows.
They differ in two things alone: of two rows of one entity and moment Feast takes any and this the
one that was published last, and of what is asked for a moment finer than a microsecond the rest is
left out, as it is of what is stored.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.errors import FeatureStoreError
from mlops_assets.ml.features.point_in_time import Ids, Rows, newest_known
from mlops_assets.ml.file_part import Part, frames_in
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.stored_rows import (
    ROWS,
    RowFile,
    StoredRows,
    row_batches,
    schema_of,
    table_of,
    write_frames,
)
from mlops_assets.records.data import FeatureView, stored_name

_MICROSECOND = timedelta(microseconds=1)
_FILES, _GROUP = 100, 10_000
"""With a column each before more share one, and how many rows are put side by side."""
Columns = Iterator[tuple[str, np.ndarray]]
"""Each with its name."""


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
    ) -> tuple[pd.DataFrame, Columns]:
        """The keys by time and entity, and for each the features that were known then.

        Args:
            keys: A column `entity`, `event_timestamp` (UTC), and whatever else.
            entity: What it is called there.
            features: What each is called that is wanted -> as which it is stored.

        Returns:
            The columns of features, read when they are asked for, are float64 with NaN, or `str`
            with None, for no value.
        """
        if missing := [name for name, stored in features.items() if stored not in self.features]:
            raise FeatureStoreError(
                f"{self.file} was published without the features {missing}; "
                "materialize the features again"
            )
        file = pq.ParquetFile(self.file)  # as it is now: another may take its place
        known = self._known(file)
        asked = self._asked(keys, entity, known)
        if (order := asked.in_order()) is not None:
            asked, keys = asked.take(order), keys.take(order)
        ttl = self.ttl // _MICROSECOND if self.ttl else None
        places = newest_known(asked, known, ttl)
        return keys.reset_index(drop=True), self._columns(file, features, places)

    def _columns(
        self, file: pq.ParquetFile, features: Mapping[str, str], places: np.ndarray
    ) -> Columns:
        """One at a time, since beside it stand what is read and what is made of it."""
        with file:
            read = {"string": _texts, "float64": _Numbers(file.metadata.num_rows).read}
            for name, stored in features.items():
                yield name, read[self.features[stored]](file, stored, places)

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
    path: Path, rows: Part, write: Callable[[Path, Callable[[Path], object]], None]
) -> None:
    """Let `write` write the feature file: the rows in their order, columns as they are stored."""
    write(path, lambda file: _write_features(file, rows))


def _write_features(path: Path, rows: Part) -> None:
    file = RowFile(path)
    for frame in frames_in(rows):
        table = table_of(frame, schema_of(frame)).replace_schema_metadata()
        # Feast's DuckDB cannot cast nanoseconds; the moments are of whole microseconds.
        moments = pa.array(pd.DatetimeIndex(frame[TIMESTAMP]).as_unit("us"))
        table = table.set_column(table.column_names.index(TIMESTAMP), TIMESTAMP, moments)
        file.append(table.rename_columns([stored_name(name) for name in table.column_names]))
    file.close()


def joined_file(
    path: Path, keys: pd.DataFrame, columns: Columns, attributes: Mapping[str, Any]
) -> StoredRows:
    """Keys and columns side by side in a file, as a frame with these attributes is stored.

    Beside the keys a column is in memory, of very many features some; the others lie in files
    beside that one until it is written.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, ExitStack() as opened:
        files = [
            opened.enter_context(pq.ParquetFile(file)) for file in _spilled(columns, Path(folder))
        ]
        return write_frames(path, _side_by_side(keys, files), attributes)


def _spilled(columns: Columns, folder: Path) -> Iterator[Path]:
    for number in count():
        some = {
            name: pa.array(values, pa.string(), from_pandas=True)
            if values.dtype == object
            else values
            for name, values in islice(columns, 1 + number // _FILES)
        }
        if not some:
            return
        file = folder / f"{number}.parquet"
        pq.write_table(pa.table(some), file, row_group_size=_GROUP, compression="none")
        yield file


def _side_by_side(keys: pd.DataFrame, files: Sequence[pq.ParquetFile]) -> Iterator[pd.DataFrame]:
    for group in range(-(-len(keys) // _GROUP)):
        frame = keys.iloc[group * _GROUP : (group + 1) * _GROUP]
        parts = [file.read_row_group(group, use_threads=False) for file in files]
        columns = {name: part[name].to_numpy() for part in parts for name in part.column_names}
        yield pd.DataFrame({**dict(frame.items()), **columns}, index=frame.index, copy=False)


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


def feast_objects(view: FeatureView, file: Path) -> list[Any]:
    """What Feast is to register of a view, whose offline features are in `file`."""
    from feast import Entity, FileSource, ValueType
    from feast import FeatureView as FeastView
    from feast import Field as FeastField
    from feast.types import Float64, Int64, String

    types = {"float64": Float64, "string": String, "int64": Int64}
    key = ValueType.INT64 if view.key.dtype == "int64" else ValueType.STRING
    entity = Entity(name=stored_name(view.key.name), value_type=key)
    source = FileSource(name=f"{view.name}_features", path=str(file), timestamp_field=TIMESTAMP)
    columns = {view.key.name: view.key.dtype, **view.features}
    schema = [
        FeastField(name=stored_name(name), dtype=types[dtype]) for name, dtype in columns.items()
    ]
    feast_view = FeastView(
        name=view.name, entities=[entity], ttl=view.ttl, schema=schema, source=source
    )
    return [entity, source, feast_view]
