"""Some rows of a stored file in the place of a frame of them: read when they are asked for.

Which rows a part has, and what is trained or measured on them, is for whoever makes one; how a
file is read is in `ml.stored_rows`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

if TYPE_CHECKING:  # an endpoint imports this, and reads no files
    from mlops_assets.ml.stored_rows import StoredRows

Reader = Callable[[pd.Series], Any]
"""A column as it is stored -> its values as they are wanted, an array."""


class FilePart:
    """Rows of a file in its order, counted anew; it answers as a frame of them would.

    In memory are only which rows they are, a byte for each of the file, and what was put beside.
    """

    def __init__(
        self,
        stored: "StoredRows",
        readers: Mapping[str, Reader],
        chosen: np.ndarray | None = None,
        beside: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Nothing is read yet.

        Args:
            stored: Without a moment after which rows are left out.
            readers: Column -> how it is read, in their order.
            chosen: Whether each row of the file is one; None: all are.
            beside: Columns of these rows that are not in the file.
        """
        self._stored, self._readers, self._beside = stored, dict(readers), dict(beside or {})
        self._chosen = np.ones(stored.count, dtype=bool) if chosen is None else chosen
        self._length = int(np.count_nonzero(self._chosen))

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._stored.path

    def __len__(self) -> int:
        return self._length

    @property
    def columns(self) -> pd.Index:
        """Their names."""
        return pd.Index([*self._readers, *self._beside], dtype=object)

    @property
    def size(self) -> int:
        """How many values they have."""
        return len(self) * len(self.columns)

    @overload
    def __getitem__(self, name: str) -> pd.Series: ...
    @overload
    def __getitem__(self, name: list[str]) -> "FilePart": ...
    def __getitem__(self, name: str | list[str]) -> "pd.Series | FilePart":
        """One column, read as a whole; or the rows with these columns only."""
        if isinstance(name, str):
            beside = self._beside.get(name)
            return self[[name]].frame()[name] if beside is None else pd.Series(beside, name=name)
        readers = {one: self._readers[one] for one in name if one in self._readers}
        kept = {one: self._beside[one] for one in name if one in self._beside}
        return FilePart(self._stored, readers, self._chosen, kept)

    def items(self) -> Iterator[tuple[str, pd.Series]]:
        """Each column with its name, one at a time."""
        for name in self.columns:
            yield name, self[name]

    def beside(self, name: str, values: np.ndarray) -> "FilePart":
        """The rows and a column that is not in the file, and stays in memory."""
        return FilePart(self._stored, self._readers, self._chosen, {**self._beside, name: values})

    def where(self, chosen: np.ndarray) -> "FilePart":
        """Some of the rows: those that are chosen."""
        whole = np.zeros_like(self._chosen)
        whole[self._chosen] = chosen
        beside = {name: column[chosen] for name, column in self._beside.items()}
        return FilePart(self._stored, self._readers, whole, beside)

    def head(self, rows: int = 5) -> pd.DataFrame:
        """The first rows."""
        return self.take(np.arange(min(rows, len(self))))

    def tail(self, rows: int = 5) -> pd.DataFrame:
        """The last rows, with their places as index."""
        return self.take(np.arange(max(len(self) - rows, 0), len(self)))

    def take(self, places: Sequence[int] | np.ndarray) -> pd.DataFrame:
        """The rows at these places, which are their index."""
        wanted = np.asarray(places, dtype=np.int64)
        rows = self._stored.take(np.flatnonzero(self._chosen)[wanted], [*self._readers])
        return self._read(rows, pd.Index(wanted))

    def frames(self) -> Iterator[pd.DataFrame]:
        """All rows, some at once, with their places as index; no frame is without rows."""
        start = place = 0
        for frame in self._stored.frames([*self._readers]):
            ours = self._chosen[start : start + len(frame)]
            start += len(frame)
            count = int(np.count_nonzero(ours))
            if count:
                kept = frame if count == len(frame) else frame[ours]
                yield self._read(kept, pd.RangeIndex(place, place + count))
            place += count

    def frame(self) -> pd.DataFrame:
        """All rows in memory."""
        rows = self._stored.frame([*self._readers])
        kept = rows if len(self) == len(rows) else rows[self._chosen]
        return self._read(kept, pd.RangeIndex(len(self)))

    def _read(self, rows: pd.DataFrame, places: pd.Index) -> pd.DataFrame:
        columns = {name: read(rows[name]) for name, read in self._readers.items()}
        columns |= {name: column[places] for name, column in self._beside.items()}
        return pd.DataFrame(columns, index=places, copy=False)


Part = pd.DataFrame | FilePart
"""Rows, wherever they are."""


def frames_in(rows: Part) -> Iterator[pd.DataFrame]:
    """All rows, some at once: of a frame itself."""
    return rows.frames() if isinstance(rows, FilePart) else iter([rows])


def with_column(rows: Part, name: str, values: np.ndarray) -> Part:
    """The rows and one column more, whose name may be any."""
    return (
        rows.beside(name, values) if isinstance(rows, FilePart) else rows.assign(**{name: values})
    )


def in_memory(rows: Part) -> pd.DataFrame:
    """The rows as a frame."""
    return rows.frame() if isinstance(rows, FilePart) else rows
