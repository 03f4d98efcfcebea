"""Growing XGBoost's trees from rows that come batch by batch: here, by their files.

Somebody else may grow them, as `Grow` says. What batches are made of is `many_rows.from_file`'s.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from xgboost import DataIter


class Batch(NamedTuple):
    """Some rows, as trees learn them."""

    features: Any
    """A frame or an array of numbers."""
    target: np.ndarray
    """Of a classifier the place of the class."""
    weights: np.ndarray | None


class Growth(NamedTuple):
    """What trees are grown of."""

    model: Any
    """XGBoost's, fitted to a few of the rows."""
    parameters: Mapping[str, Any]
    """Those of its booster."""
    read: Callable[[], Iterator[Batch]]
    """All rows from the first, in their order."""
    folder: Path
    """For files that nobody needs afterwards."""


Grow = Callable[[Growth], bytearray]
"""The booster that it comes to, as XGBoost saves it."""


def grown_here(growth: Growth) -> bytearray:
    """See `Grow`; of rows in memory XGBoost would make the same, to the last byte."""
    import xgboost

    model = growth.model
    matrix = xgboost.ExtMemQuantileDMatrix(
        _batches(growth), missing=model.missing, nthread=model.n_jobs, max_bin=model.max_bin
    )
    trees = xgboost.train(dict(growth.parameters), matrix, model.get_num_boosting_rounds())
    return trees.save_raw()


def _batches(growth: Growth) -> "DataIter":
    import xgboost

    class Batches(xgboost.DataIter):
        """What XGBoost reads, several times."""

        def __init__(self) -> None:
            super().__init__(cache_prefix=str(growth.folder / "rows"))
            self._left: Iterator[Batch] = iter(())

        def reset(self) -> None:
            self._left = growth.read()

        def next(self, input_data: Callable[..., Any]) -> bool:
            batch = next(self._left, None)
            if batch is None:
                return False
            input_data(data=batch.features, label=batch.target, weight=batch.weights)
            return True

    return Batches()
