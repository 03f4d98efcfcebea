"""New rows on their way into the files of their days, each of which is written once.

They come a few thousand at a time, of any day, with columns of their own. Until all are there, and
with them the columns of each day, they are set aside in Arrow files in a folder beside the days; of
their keys only digests stay in memory. The folder of a pass that was killed is deleted by the next.
"""

import shutil
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

from mlops_assets.ml.monitoring.prediction_log import (
    FEATURE,
    are_new,
    as_schema,
    key_digests,
    schema_of,
)
from mlops_assets.ml.stored_rows import row_batches
from mlops_assets.runtime.atomic import ensure_folder, make_durable
from resources.bucket.mirror import ChangedMeanwhileError, Mirror
from resources.prediction_log.days import ROWS_AT_ONCE, by_day, digests_in

_ASIDE = ".new-"


@dataclass(frozen=True)
class NewRows:
    """What one pass adds to the days in `folder`."""

    folder: Path
    aside: Path
    shared: Mirror
    days: dict[str, list["_Piece"]] = field(default_factory=lambda: defaultdict(list))

    def add(self, rows: pa.Table) -> None:
        """Set rows aside."""
        for day, these in by_day(rows).items():
            file = self.aside / f"{day}-{len(self.days[day])}.arrow"
            feather.write_feather(these, file, compression="lz4")
            self.days[day].append(_Piece(file, these.schema, key_digests(these)))

    def merge(self) -> tuple[int, list[str]]:
        """Write the days that get rows; the number of rows added, and these days.

        Of rows of the same key the one stays that was there first.
        """
        added = {day: self._merge_day(day, new) for day, new in self.days.items()}
        written = sorted(day for day, rows in added.items() if rows)
        if written:
            make_durable(self.folder)
        return sum(added.values()), written

    def _merge_day(self, day: str, new: list["_Piece"]) -> int:
        """Again, as long as another machine changes that day in the bucket meanwhile."""
        file = self.folder / f"{day}.parquet"
        while True:
            self.shared.get(file)
            try:
                return _merge(file, new, self.shared)
            except ChangedMeanwhileError:
                continue


@dataclass(frozen=True)
class _Piece:
    """Rows of one day in a file."""

    file: Path
    schema: pa.Schema
    digests: np.ndarray


@contextmanager
def new_rows(folder: Path, shared: Mirror) -> Generator[NewRows]:
    """A place for the new rows of the days in `folder`, which nobody else may be writing."""
    for left in ensure_folder(folder).glob(f"{_ASIDE}*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_ASIDE) as aside:
        yield NewRows(folder, Path(aside), shared)


def _merge(path: Path, pieces: list[_Piece], shared: Mirror) -> int:
    """Write a day's old rows and those of the pieces that are new; how many these are."""
    tag = shared.tag(path)  # first: what is read now must be what is replaced
    known = digests_in(path)
    new = are_new(known, np.concatenate([piece.digests for piece in pieces]))
    if not new.any():
        return 0
    old = [pq.read_schema(path)] if path.exists() else []
    schema = schema_of([*old, *(piece.schema for piece in pieces)])
    texts = [one.name for one in schema if one.name.startswith(FEATURE) and one.type == pa.string()]
    texts = ["source", "role", "predicted", *texts]

    def write(file: Path) -> None:
        with pq.ParquetWriter(file, schema, use_dictionary=texts) as writer:
            for group in _in_groups(_rows(path, pieces, new), schema):
                writer.write_table(group)

    shared.write(path, write, instead_of=tag)
    return int(new.sum())


def _rows(path: Path, pieces: list[_Piece], new: np.ndarray) -> Iterator[pa.Table]:
    """What a day has, then what is new to it."""
    if path.exists():
        with pq.ParquetFile(path) as opened:
            for batch in row_batches(opened, ROWS_AT_ONCE, opened.schema_arrow.names):
                yield pa.Table.from_batches([batch])
    first = 0
    for piece in pieces:
        mask = new[first : first + len(piece.digests)]
        first += len(mask)
        yield feather.read_table(piece.file, memory_map=False).filter(pa.array(mask))


def _in_groups(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """The same rows with this schema, `ROWS_AT_ONCE` at a time."""
    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, as_schema(table, schema)])
        while len(waiting) >= ROWS_AT_ONCE:
            yield waiting.slice(0, ROWS_AT_ONCE)
            waiting = waiting.slice(ROWS_AT_ONCE)
    if len(waiting):
        yield waiting
