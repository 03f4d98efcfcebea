"""Which row was known when: of each entity the newest one that is not older than a TTL.

It works on sorted arrays, in memory that grows with the rows and not with the matches, and knows
no feature: what is found are the places of rows.
"""

from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
from pyarrow.compute import SetLookupOptions, call_function

Column = pa.Array | pa.ChunkedArray


class Ids(NamedTuple):
    """A column of ids as numbers."""

    codes: np.ndarray
    """Of each row the place of its id in `distinct`; its length where a row has none."""
    distinct: pa.Array

    @classmethod
    def of(cls, column: Column) -> Self:
        """Number the ids of a column of integers or texts in the order in which they come."""
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        encoded = whole.dictionary_encode()
        codes = encoded.indices.fill_null(len(encoded.dictionary))
        return cls(codes.to_numpy().astype(np.int64), encoded.dictionary)

    def take(self, places: np.ndarray) -> Self:
        """The rows at these places."""
        return self._replace(codes=self.codes[places])

    def ranks(self) -> np.ndarray:
        """Of each row where its id stands among all ids in order; none comes last."""
        # Texts by their bytes, which is the order of their characters too.
        ranks = call_function("rank", [self.distinct]).to_numpy().astype(np.int64)
        return np.append(ranks, len(ranks) + 1)[self.codes]

    def among(self, others: "Ids") -> np.ndarray:
        """Of each row the code that `others` have for its id; -1 where they lack it."""
        lookup = SetLookupOptions(others.distinct)
        places = call_function("index_in", [self.distinct], lookup)
        return np.append(places.fill_null(-1).to_numpy().astype(np.int64), -1)[self.codes]


class Rows(NamedTuple):
    """Whose rows are, and when, in any order."""

    ids: Ids
    moments: np.ndarray
    """Microseconds since 1970, int64."""

    def in_order(self) -> np.ndarray | None:
        """The rows' places by moment and id, equal ones as they stand; None: they all stand so."""
        ranks, steps = self.ids.ranks(), np.diff(self.moments)
        if ((steps > 0) | ((steps == 0) & (ranks[1:] >= ranks[:-1]))).all():
            return None
        return np.lexsort((ranks, self.moments))

    def take(self, places: np.ndarray) -> Self:
        """The rows at these places."""
        return type(self)(self.ids.take(places), self.moments[places])


def newest_known(asked: Rows, known: Rows, ttl: int | None) -> np.ndarray:
    """Of each asked row the place of the newest known one of its entity, at its moment or before.

    Of known rows of one entity and moment it is the last one's.

    Args:
        asked: Fastest if in the order of their moments.
        known: In any order.
        ttl: Microseconds; a known row that is older is none. None: it is never too old.

    Returns:
        -1 where nothing is known.
    """
    if not len(known.moments):
        return np.full(len(asked.moments), -1)
    distinct, ranks = _ranked(known.moments)
    # One number for entity and moment: those of an entity follow each other, after a place for
    # what was before its first.
    width = len(distinct) + 1
    stored = known.ids.codes * width + ranks + 1
    order = np.argsort(stored, kind="stable")
    stored = stored[order]
    entities = asked.ids.among(known.ids)
    wanted = entities * width + np.searchsorted(distinct, asked.moments, side="right")
    places = _last_not_above(stored, wanted)
    found = (entities >= 0) & (places >= 0) & (stored[places] > entities * width)
    newest = order[places]
    if ttl is not None:
        found &= asked.moments - known.moments[newest] <= ttl
    return np.where(found, newest, -1)


def _ranked(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `np.unique` with the inverse; without sorting what stands in order, as published."""
    steps = np.diff(moments)
    if (steps < 0).any():
        return np.unique(moments, return_inverse=True)
    first = np.append(True, steps > 0)
    return moments[first], np.cumsum(first) - 1


def _last_not_above(stored: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Of each wanted number the last place in sorted `stored` that is not above it, or -1."""
    # In order, since looking up millions in disorder misses the processor's cache each time.
    order = np.argsort(wanted, kind="stable")
    places = np.empty(len(wanted), dtype=np.int64)
    places[order] = np.searchsorted(stored, wanted[order], side="right") - 1
    return places
