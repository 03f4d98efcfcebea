"""A delivery beyond memory: read, checked and cleaned batch by batch, into files.

Which rows are good, why the others are not, and what all of them become is what
`delivered.checked_rows` and `processing.process` say of the whole. Where the files come to lie is
the caller's to say.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.casting import cast
from mlops_assets.ml.data.contract import Checked, SeenKeys, no_bad_rows
from mlops_assets.ml.data.delivered import checked, row_batches
from mlops_assets.ml.data.marks import PLAIN
from mlops_assets.ml.data.parts import joined
from mlops_assets.ml.data.processing import process
from mlops_assets.ml.data.verdict import Tally
from mlops_assets.ml.stored_rows import RowFile

_LOOKED_AT = 1000
_PLAIN_SCHEMA = {"store_schema": False}
"""What is said of the rows at the end of the file is then said of its schema too."""


class Evenly:
    """Rows from all over a table that comes in batches: each 2**n-th, at least so many if it can.

    At most twice as many.
    """

    def __init__(self, least: int) -> None:
        """Nothing has come yet."""
        self._least, self._step, self._held = least, 1, 0
        self._parts: list[pd.DataFrame] = []
        self.count = 0
        """How many rows have come."""

    def add(self, rows: pd.DataFrame) -> None:
        """Take some of a batch, which is let go."""
        taken = rows.iloc[-self.count % self._step :: self._step].copy()
        self.count, self._held = self.count + len(rows), self._held + len(taken)
        self._parts.append(taken)
        while self._held > 2 * self._least:
            self._parts = [self.rows.iloc[::2].copy()]
            self._step, self._held = 2 * self._step, len(self._parts[0])

    @property
    def rows(self) -> pd.DataFrame:
        """What was taken, in order."""
        return pd.concat(self._parts, ignore_index=True)


@dataclass(frozen=True)
class Streamed:
    """What has become of a delivery: its rows in two files, and what is said of them."""

    tally: Tally
    bad: Path
    """As `Checked.bad`."""
    head: pd.DataFrame
    """How the processed rows begin."""
    sample: pd.DataFrame
    """Some of them, from all over."""
    count: int
    """How many they are."""
    _rows: RowFile
    _schema: pa.Schema | None

    def finished(self, attributes: Mapping[str, Any]) -> Path:
        """The file of the processed rows, as pandas stores a frame with these attributes."""
        known = {} if self._schema is None else self._schema.metadata
        said = {b"PANDAS_ATTRS": json.dumps(attributes).encode()}
        self._rows.close({**known, **said})
        return self._rows.path


def stream_rows(
    files: Sequence[Path], settings: ModelSettings, now: datetime, folder: Path, sampled: int
) -> Streamed:
    """Check and clean the rows of a version, of entities and moments, into files of `folder`.

    Of the rows no more are in memory than a batch, and of each that must differ from all others 16
    bytes.

    Raises:
        SourceError: As `read_table`.
        ContractError: As `enforce` and `process`.
    """
    parts = _Parts(settings, folder, sampled)
    offsets = _Offsets(settings)
    for frame in row_batches(files, settings):
        offsets.require_one(frame)
        parts.add(checked(frame, settings, now, parts.keys))
    return parts.closed()


class _Parts:
    """The files, while they are filled."""

    def __init__(self, settings: ModelSettings, folder: Path, sampled: int) -> None:
        self._settings, self._sample = settings, Evenly(sampled)
        self.keys = SeenKeys() if settings.contract.unique else None
        self._repeated = SeenKeys() if settings.processing.drop_duplicates else None
        self._rows = RowFile(folder / "rows.parquet", lambda _: _PLAIN_SCHEMA)
        self._bad = RowFile(folder / "bad.parquet")
        self._tallies: list[Tally] = []
        self._delivered = 0
        self._schema: pa.Schema | None = None
        self._head = pd.DataFrame()
        nothing = no_bad_rows(tuple(settings.contract.columns))
        self._of_bad = _schema_of(nothing)
        self._bad.append(_table(nothing, self._of_bad))

    def add(self, found: Checked) -> None:
        bad = found.bad.assign(row=found.bad["row"] + self._delivered)
        self._delivered += len(found.rows) + len(bad)
        self._tallies.append(Tally.of(found._replace(bad=bad)))
        if len(bad):
            self._bad.append(_table(bad, self._of_bad))
        rows = process(found.rows, self._settings.processing, self._repeated)
        if not len(rows):
            return
        if self._schema is None:
            self._schema, self._head = _schema_of(rows), rows.head().copy()
        self._rows.append(_table(rows, self._schema))
        self._sample.add(rows)

    def closed(self) -> Streamed:
        self._bad.close()
        return Streamed(
            tally=reduce(Tally.plus, self._tallies),
            bad=self._bad.path,
            head=self._head,
            sample=self._sample.rows if self._sample.count else self._head,
            count=self._sample.count,
            _rows=self._rows,
            _schema=self._schema,
        )


class _Offsets:
    """That the datetimes of all batches have one UTC offset, where the contract wants that.

    Within a batch `cast` sees to it; here between them, by the first datetime of each.
    """

    def __init__(self, settings: ModelSettings) -> None:
        rules = settings.contract.columns
        self._rules = {
            name: rule
            for name, rule in rules.items()
            if rule.dtype == "datetime" and rule.offsets == "one" and rule.unit is None
        }
        columns = {"columns": self._rules, "unique": ()}
        self._contract = settings.contract.model_copy(update=columns)
        self._known: dict[str, str] = {}

    def require_one(self, frame: pd.DataFrame) -> None:
        """Raise `ContractError` if a batch differs from those before it."""
        if not self._rules:
            return
        written = joined(frame[list(self._contract.read_columns)], self._contract)
        for name, rule in self._rules.items():
            text = _first_text(written[self._contract.source_names[name]].rename(name), rule)
            if text is not None:
                both = [self._known.setdefault(name, text), text]
                cast(pd.Series(both, dtype=object, name=name), rule, PLAIN)


def _first_text(column: pd.Series, rule: Any) -> str | None:
    """The first text of a column that is a datetime."""
    if column.dtype != object:
        return None
    for start in range(0, len(column), _LOOKED_AT):
        part = column.iloc[start : start + _LOOKED_AT]
        found = cast(part, rule, PLAIN)
        sound = part[~np.logical_or.reduce([found.missing, *found.problems.values()])]
        if len(sound):
            return sound.iloc[0] if isinstance(sound.iloc[0], str) else None
    return None


def _schema_of(rows: pd.DataFrame) -> pa.Schema:
    """As pandas stores it, where objects are texts, also if there is none."""
    schema = pa.Schema.from_pandas(rows, preserve_index=False)
    for place, name in enumerate(rows.columns):
        if rows[name].dtype == object:
            schema = schema.set(place, pa.field(name, pa.string()))
    return schema


def _table(rows: pd.DataFrame, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pandas(rows, schema, preserve_index=False)
