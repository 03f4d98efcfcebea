"""The rows of a delivery by the partition that they are of, in which they are checked.

A row is of the partition in which its timestamp lies, in UTC, whatever its file is called. What is
kept of a file that was read says which of its rows are of which partition: a file that comes late
costs itself, and the partitions that its rows touch. All partitions together are the rows that
`delivered.checked_rows` gives of the same files, in the same order.

Where what is kept lies is `resources.datasets.partitions`.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.blocks.base import Record
from mlops_assets.blocks.sources.partitions import PartitionSettings
from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.casting import cast
from mlops_assets.ml.data.contract import Checked, no_bad_rows, violations
from mlops_assets.ml.data.delivered import as_delivered, checked
from mlops_assets.ml.data.marks import Marks
from mlops_assets.ml.data.parts import joined
from mlops_assets.ml.data.reading import one_table, read_file, require_same_columns

UNDATED = ""
"""The partition of rows whose timestamp is missing, no moment, or before the first partition."""
_ROW_BITS = 40
"""Of a place: these are the row in its file, those above the file in its partition."""


class FilePart(Record):
    """The rows of one partition in one file."""

    rows: int
    batches: int
    sha256: str


class ReadFile(Record):
    """What is kept of a file beside its rows."""

    columns: tuple[str, ...]
    """All that it has."""
    rows: int
    parts: dict[str, FilePart]
    """By partition, in the order in which their batches are stored."""
    types: str
    """Of the contract's columns: their Arrow schema."""
    moments: dict[str, str]
    """One of each column of texts that may have a single UTC offset."""

    @cached_property
    def schema(self) -> pa.Schema:
        """Of the contract's columns."""
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.types)))


@dataclass(frozen=True)
class Delivery:
    """The files of one delivery, in their order."""

    files: Mapping[str, ReadFile]

    @cached_property
    def schema(self) -> pa.Schema:
        """What the columns of all files are together."""
        schemas = list(dict.fromkeys(file.schema for file in self.files.values()))
        tables = [schema.empty_table() for schema in schemas]
        return one_table(tables, next(iter(self.files))).schema

    @cached_property
    def rows(self) -> dict[str, int]:
        """Partition -> how many rows, of those that have any."""
        found: dict[str, int] = {}
        for file in self.files.values():
            for key, part in file.parts.items():
                found[key] = found.get(key, 0) + part.rows
        return dict(sorted(found.items()))

    @cached_property
    def versions(self) -> dict[str, str]:
        """Partition -> what its rows are: their values, and where in which file each stands."""
        types = str(self.schema)
        digests = {key: hashlib.sha256(types.encode()) for key in self.rows}
        for name, file in self.files.items():
            for key, part in file.parts.items():
                digests[key].update(f"\n{name}\n{part.sha256}".encode())
        return {key: digest.hexdigest()[:32] for key, digest in digests.items()}

    def files_of(self, key: str) -> list[str]:
        """The files that have rows of a partition."""
        return [name for name, file in self.files.items() if key in file.parts]

    def require_one_source(self, settings: ModelSettings) -> None:
        """Check what must be the same in all files.

        Raises:
            SourceError: They differ in their columns, or in the types of one.
            ContractError: They differ in the UTC offset of one.
        """
        found = {name: file.columns for name, file in self.files.items()}
        require_same_columns(found, as_delivered(settings))
        _ = self.schema
        for column, rule in settings.contract.columns.items():
            texts = [f.moments[column] for f in self.files.values() if column in f.moments]
            cast(pd.Series(texts, dtype=object, name=column), rule, Marks())


class CheckedPart(NamedTuple):
    """The rows of a partition by the contract, each called by its place: file and row in it."""

    files: list[str]
    """By their number in a place."""
    good: pd.DataFrame
    bad: pd.DataFrame | None
    """None for no such row."""

    @property
    def is_early(self) -> bool:
        """Whether a row breaks the contract only as long as its moment lies in the future."""
        if self.bad is None:
            return False
        broken = violations(Checked(self.good, self.bad))
        return any(rule.endswith(".future") for rule in broken)


def partition_keys(moments: pd.Series, partitions: PartitionSettings) -> np.ndarray:
    """The first day of the partition of each moment, e.g. 2024-01-31; `UNDATED` for one of none.

    Args:
        moments: datetime64[ns, UTC], NaT for no moment.
        partitions: Of the model.
    """
    days = moments.dt.tz_localize(None).dt.floor("D")
    known = days.notna() & (days >= pd.Timestamp(partitions.start))
    distinct = days[known].unique()
    first = {day: partitions.first_day(day.date()).isoformat() for day in distinct}
    return days.where(known).map(first).fillna(UNDATED).to_numpy(dtype=object)


def split(path: Path, settings: ModelSettings) -> tuple[ReadFile, list[pa.RecordBatch]]:
    """A file as its partitions: their rows, the last column of which says which of the file's.

    Raises:
        SourceError: As `read_table`.
        ContractError: A datetime column mixes UTC offsets.
    """
    if settings.partitions is None or settings.timestamp is None:
        raise TypeError(f"{settings.name} has no partitions")
    source, contract = as_delivered(settings), settings.contract
    columns, table = read_file(path, source, contract.read_columns, contract.extra_columns)
    moments, examples = _moments(table, settings)
    keys, distinct = pd.factorize(
        partition_keys(moments[settings.timestamp], settings.partitions), sort=True
    )
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], np.arange(len(distinct) + 1)).tolist()
    rows = table.append_column("row", pa.array(np.arange(table.num_rows)))
    parts, batches = {}, []
    for key, start, end in zip(distinct.tolist(), starts, starts[1:], strict=False):
        # Taken apart: a slice is written with bytes of its neighbour, and so no digest of itself.
        its = rows.take(pa.array(order[start:end])).combine_chunks().to_batches()
        digest = hashlib.sha256(b"".join(batch.serialize() for batch in its)).hexdigest()
        parts[key] = FilePart(rows=end - start, batches=len(its), sha256=digest)
        batches += its
    known = ReadFile(
        columns=tuple(columns),
        rows=table.num_rows,
        parts=parts,
        types=base64.b64encode(table.schema.serialize().to_pybytes()).decode(),
        moments=examples,
    )
    return known, batches


def checked_part(
    pieces: Mapping[str, pa.Table], delivery: Delivery, settings: ModelSettings, now: datetime
) -> CheckedPart:
    """The rows of a partition, checked.

    Args:
        pieces: File -> its rows of the partition, as `split` gives them; in the delivery's order.
        delivery: With these files.
        settings: Of the model.
        now: As in `enforce`.
    """
    numbers = [piece.column(piece.num_columns - 1).to_numpy() for piece in pieces.values()]
    places = np.concatenate([(n << _ROW_BITS) + rows for n, rows in enumerate(numbers)])
    tables = [piece.select(range(piece.num_columns - 1)) for piece in pieces.values()]
    table = one_table([delivery.schema.empty_table(), *tables], next(iter(pieces)))
    good, bad = checked(table.to_pandas(integer_object_nulls=True), settings, now)
    at = bad["row"].to_numpy()
    rejected = bad.set_axis(places[at]) if len(bad) else None
    return CheckedPart(list(pieces), good.set_axis(np.delete(places, at)), rejected)


def together(parts: Iterable[CheckedPart], delivery: Delivery) -> Checked:
    """The rows of all partitions of a delivery as those of its files, one after the other."""
    counts = [file.rows for file in delivery.files.values()]
    first = dict(zip(delivery.files, accumulate([0, *counts]), strict=False))
    good, bad = [], []
    for part in parts:
        starts = np.array([first[name] for name in part.files])
        good.append(_placed(part.good, starts))
        if part.bad is not None:
            bad.append(_placed(part.bad, starts))
    filled = [frame for frame in good if len(frame)] or good[:1]
    rows = pd.concat(filled).sort_index().reset_index(drop=True)
    if not bad:
        return Checked(rows, no_bad_rows(tuple(rows.columns)))
    rejected = pd.concat(bad).sort_index()
    rejected["row"] = rejected.index
    return Checked(rows, rejected.reset_index(drop=True))


def _placed(rows: pd.DataFrame, starts: np.ndarray) -> pd.DataFrame:
    places = rows.index.to_numpy(np.int64)
    at = starts[places >> _ROW_BITS] + (places & ((1 << _ROW_BITS) - 1))
    return rows.set_axis(at)


def _moments(
    table: pa.Table, settings: ModelSettings
) -> tuple[dict[str, pd.Series], dict[str, str]]:
    """Each datetime column, NaT for what is no moment; and a text of those of one UTC offset."""
    rules = {n: rule for n, rule in settings.contract.columns.items() if rule.dtype == "datetime"}
    contract = settings.contract.model_copy(update={"columns": rules, "unique": ()})
    read = table.select(contract.read_columns).to_pandas(integer_object_nulls=True)
    written = joined(read, contract)
    found, examples = {}, {}
    for name, rule in rules.items():
        column = written[contract.source_names[name]].rename(name)
        result = cast(column, rule, Marks())
        wrong = np.logical_or.reduce([result.missing, *result.problems.values()])
        found[name] = result.typed.where(~wrong)
        sound = column[~wrong]
        if rule.offsets == "one" and rule.unit is None and isinstance(next(iter(sound), None), str):
            examples[name] = sound.iloc[0]
    return found, examples
