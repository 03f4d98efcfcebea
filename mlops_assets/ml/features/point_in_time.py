"""Which row was known when: of each entity the newest one that is not older than a TTL.

It works on sorted arrays, block by block, in memory that grows with the rows and not with the
matches, and knows no feature: what is found are the places of rows.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
from pyarrow.compute import SetLookupOptions, call_function

Column = pa.Array | pa.ChunkedArray


_BLOCK = 1 << 17
"""Rows that are looked at together: what is made of them fits a processor's cache, and memory that
was used before, so that each of ten times the rows costs what it did."""


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
        return cls(codes.to_numpy(), encoded.dictionary)

    def take(self, places: np.ndarray) -> Self:
        """The rows at these places."""
        return self._replace(codes=self.codes[places])

    def ranks(self) -> np.ndarray:
        """Of each code where its id stands among all ids in order; none comes last."""
        # Texts by their bytes, which is the order of their characters too.
        ranks = call_function("rank", [self.distinct]).to_numpy().astype(np.int64)
        return np.append(ranks, len(ranks) + 1)

    def among(self, others: "Ids") -> np.ndarray:
        """Of each code the one that `others` have for its id; -1 where they lack it."""
        lookup = SetLookupOptions(others.distinct)
        places = call_function("index_in", [self.distinct], lookup)
        return np.append(places.fill_null(-1).to_numpy().astype(np.int64), -1)


class Rows(NamedTuple):
    """Whose rows are, and when, in any order."""

    ids: Ids
    moments: np.ndarray
    """Microseconds since 1970, int64."""

    def in_order(self) -> np.ndarray | None:
        """The rows' places by moment and id, equal ones as they stand; None: they all stand so."""
        ranks = self.ids.ranks()
        for some in _blocks(len(self.moments)):
            steps, order = np.diff(self.moments[some]), ranks[self.ids.codes[some]]
            if not ((steps > 0) | ((steps == 0) & (order[1:] >= order[:-1]))).all():
                return np.lexsort((ranks[self.ids.codes], self.moments))
        return None

    def by_moment(self) -> np.ndarray | None:
        """The rows' places by moment, equal ones as they stand; None: they all stand so."""
        for some in _blocks(len(self.moments)):
            if (np.diff(self.moments[some]) < 0).any():
                return np.argsort(self.moments, kind="stable")
        return None

    def until(self, moment: np.int64) -> int:
        """How many rows are of that moment or before, if they are in order."""
        return int(np.searchsorted(self.moments, moment, side="right"))

    def take(self, places: np.ndarray) -> Self:
        """The rows at these places."""
        return type(self)(self.ids.take(places), self.moments[places])


def _blocks(rows: int) -> Iterator[slice]:
    """All of them; the last row of one is the first of the next, since neighbours are compared."""
    return (slice(first, first + _BLOCK + 1) for first in range(0, rows - 1, _BLOCK))


def newest_known(asked: Rows, known: Rows, ttl: int | None) -> np.ndarray:
    """Of each asked row the place of the newest known one of its entity, at its moment or before.

    Of known rows of one entity and moment it is the last one's.

    Args:
        asked: Fastest if in the order of their moments.
        known: Likewise.
        ttl: Microseconds; a known row that is older is none. None: it is never too old.

    Returns:
        -1 where nothing is known.
    """
    if not len(known.moments):
        return np.full(len(asked.moments), -1)
    order, published = asked.by_moment(), known.by_moment()
    if published is not None:
        known = known.take(published)
    if order is None:
        places = _in_turn(asked, known, ttl)
    else:
        places = np.empty(len(order), dtype=np.int64)
        places[order] = _in_turn(asked.take(order), known, ttl)
    return places if published is None else np.append(published, -1)[places]


def _in_turn(asked: Rows, known: Rows, ttl: int | None) -> np.ndarray:
    """What `newest_known` finds, of rows by their moments."""
    whose, places = asked.ids.among(known.ids), np.empty(len(asked.moments), dtype=np.int64)
    newest = np.full(len(known.ids.distinct) + 2, -1)
    """Of each entity the place of the newest of the rows before `noted`; the last is nobody's."""
    start = noted = 0
    while start < len(places):
        noted = _note(newest, known, noted, known.until(asked.moments[start]))
        end = min(start + _BLOCK, len(places))
        # Of what became known meanwhile no more than a block; what is asked at one moment ends it.
        if noted + _BLOCK < known.until(asked.moments[end - 1]):
            end = np.searchsorted(asked.moments, known.moments[noted + _BLOCK])
        entities, moments = whose[asked.ids.codes[start:end]], asked.moments[start:end]
        meanwhile = slice(noted, known.until(moments[-1]))
        found = np.maximum(newest[entities], _newest_of(known, meanwhile, entities, moments))
        if ttl is not None:
            found[moments - known.moments[found] > ttl] = -1
        places[start:end], start = found, end
    return places


def _note(newest: np.ndarray, known: Rows, first: int, end: int) -> int:
    """Write down the known rows from `first` to before `end`, which is returned."""
    for start in range(first, end, _BLOCK):
        places = np.arange(start, min(start + _BLOCK, end))
        newest[known.ids.codes[places[0] : places[-1] + 1]] = places  # of several the last one
    return end


def _newest_of(
    known: Rows, some: slice, entities: np.ndarray, moments: np.ndarray
) -> np.ndarray | int:
    """The place of the newest of some known rows, of each entity as of a moment, or -1."""
    if some.start == some.stop:
        return -1
    steps = np.append(True, np.diff(known.moments[some]) > 0)
    distinct, ranks = known.moments[some][steps], np.cumsum(steps)
    # One number for entity and moment: those of an entity follow each other, after a place for
    # what was before its first.
    width = len(distinct) + 1
    stored = known.ids.codes[some].astype(np.int64) * width + ranks
    order = np.argsort(stored, kind="stable")
    stored = stored[order]
    wanted = entities * width + np.searchsorted(distinct, moments, side="right")
    places = _last_not_above(stored, wanted)
    found = (entities >= 0) & (places >= 0) & (stored[places] > entities * width)
    return np.where(found, some.start + order[places], -1)


def _last_not_above(stored: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Of each wanted number the last place in sorted `stored` that is not above it, or -1."""
    # In order, since looking up millions in disorder misses the processor's cache each time.
    order = np.argsort(wanted, kind="stable")
    places = np.empty(len(wanted), dtype=np.int64)
    places[order] = np.searchsorted(stored, wanted[order], side="right") - 1
    return places
