"""Rows that a batch asks for: their features by columns, and what each is known by."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import numpy as np
import pandas as pd

from mlops_assets.ml.inference.onnx_runtime import Columns


@dataclass(frozen=True)
class Asked:
    """Some rows; every array has one value for each."""

    features: Columns
    places: np.ndarray
    """int64: of a table the number of the input's row, from 0; else of the stored features', which
    without an entity have a number of their own, that of the processed row."""
    entities: np.ndarray | None
    """int64, or objects of `str`; None of a model without an entity."""
    moments: np.ndarray
    """datetime64[us], UTC: when the features are of."""

    def __len__(self) -> int:
        return len(self.places)

    def at(self, rows: slice | np.ndarray) -> Self:
        """Some of the rows; those of a slice are not copied."""
        return type(self)(
            {name: column[rows] for name, column in self.features.items()},
            self.places[rows],
            None if self.entities is None else self.entities[rows],
            self.moments[rows],
        )

    def before(self, other: Self) -> Self:
        """These rows, then the others."""
        return type(self)(
            {n: np.concatenate([column, other.features[n]]) for n, column in self.features.items()},
            np.concatenate([self.places, other.places]),
            None
            if self.entities is None or other.entities is None
            else np.concatenate([self.entities, other.entities]),
            np.concatenate([self.moments, other.moments]),
        )


class Batch(NamedTuple):
    """What was read at once."""

    asked: Asked
    bad: pd.DataFrame
    """Rows that are not asked for: as they came, as strings, `row` and `reason`."""


class Source(Protocol):
    """Where rows come from."""

    @property
    def kind(self) -> str:
        """`snapshot` or `table`: what the prediction log calls it."""
        ...

    @property
    def columns(self) -> Sequence[str]:
        """What a bad row has, besides `row` and `reason`."""
        ...

    @property
    def ignored(self) -> Sequence[str]:
        """Columns that were there for nothing, of what was read by now."""
        ...

    def digest(self) -> str:
        """Says whether two sources ask for the same rows: what they hold and how it is read."""
        ...

    def batches(self) -> Iterator[Batch]:
        """All rows, in order."""
        ...


def in_requests(batches: Iterable[Batch], size: int) -> Iterator[Batch]:
    """The same, cut so that all but the last ask for a multiple of `size` rows.

    In the last bits of a score it matters which rows are computed together, so a batch asks for its
    rows as clients may ask the endpoint for them: in order, as many as fit into a request.
    """
    waiting: Asked | None = None
    bad = pd.DataFrame()
    for asked, bad in batches:
        rest = asked
        if waiting is not None:
            head = min(size - len(waiting), len(asked))
            waiting, rest = waiting.before(asked.at(slice(0, head))), asked.at(slice(head, None))
            if len(waiting) == size:
                yield Batch(waiting, bad.head(0))
                waiting = None
        whole = len(rest) // size * size
        yield Batch(rest.at(slice(0, whole)), bad)
        if whole < len(rest):
            waiting = rest.at(slice(whole, None))
    if waiting is not None:
        yield Batch(waiting, bad.head(0))
