"""A delivery beyond memory: read, checked and cleaned batch by batch, into files.

Which rows are good, why the others are not, and what all of them become is what
`delivered.checked_rows` and `processing.process` say of the whole. Where the files come to lie is
the caller's to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from mlops_assets.ml.data.processing import identified, process
from mlops_assets.ml.data.verdict import Tally
from mlops_assets.ml.stored_rows import RowFile, end_of, plain, schema_of, table_of
from mlops_assets.records.data import Origin

_LOOKED_AT = 1000


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
        self._rows.close(end_of(self._schema or pa.schema([]), attributes))
        return self._rows.path


def stream_rows(
    files: Sequence[Path],
    settings: ModelSettings,
    origin: Origin,
    folder: Path,
    sampled: int,
) -> Streamed:
    """Check and clean the rows of a version into files of `folder`.

    Each row is known by itself who it is of, and when: not those of entities without moments.

    Of the rows no more are in memory than a batch, and of each that must differ from all others 16
    bytes.

    Raises:
        SourceError: As `read_table`.
        ContractError: As `enforce` and `process`.
    """
    parts = _Parts(settings, origin, folder, sampled)
    offsets = _Offsets(settings)
    for frame in row_batches(files, settings):
        offsets.require_one(frame)
        parts.add(checked(frame, settings, origin.checked_at, parts.keys))
    return parts.closed()


class _Parts:
    """The files, while they are filled."""

    def __init__(self, settings: ModelSettings, origin: Origin, folder: Path, sampled: int) -> None:
        self._settings, self._origin, self._sample = settings, origin, Evenly(sampled)
        self.keys = SeenKeys() if settings.contract.unique else None
        self._repeated = SeenKeys() if settings.processing.drop_duplicates else None
        self._rows = RowFile(folder / "rows.parquet", plain)
        self._bad = RowFile(folder / "bad.parquet")
        self._tallies: list[Tally] = []
        self._delivered = 0
        self._schema: pa.Schema | None = None
        self._head = pd.DataFrame()
        nothing = no_bad_rows(tuple(settings.contract.columns))
        self._of_bad = schema_of(nothing)
        self._bad.append(table_of(nothing, self._of_bad))

    def add(self, found: Checked) -> None:
        bad = found.bad.assign(row=found.bad["row"] + self._delivered)
        self._delivered += len(found.rows) + len(bad)
        self._tallies.append(Tally.of(found._replace(bad=bad)))
        if len(bad):
            self._bad.append(table_of(bad, self._of_bad))
        kept = process(found.rows, self._settings.processing, self._repeated)
        if not len(kept):
            return
        delivered_at, before = self._origin.raw.delivered_at, self._sample.count
        rows = identified(kept, self._settings, delivered_at, before)
        if self._schema is None:
            self._schema, self._head = schema_of(rows), rows.head().copy()
        self._rows.append(table_of(rows, self._schema))
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
