"""Wasserstein distance of two profiles: how far values moved, not only into how many other bins.

Each point stands where it is, and the rows of an interval at their mean. So a shift of all rows is
measured exactly, and what changes inside an interval around the same mean is not seen.

The other distances are in `ml.monitoring.drift`.
"""

import numpy as np

from mlops_assets.records.profile import ColumnProfile


def wasserstein(reference: ColumnProfile, live: ColumnProfile) -> float:
    """The distance in `Bins.scale`, standard deviations of the reference.

    0 for texts, which have no order, and where a side has no number; infinite where one is.
    """
    if reference.low is None or live.low is None:
        return 0.0
    (old, before), (new, now) = _atoms(reference), _atoms(live)
    places = np.sort(np.append(old, new))
    if not np.isfinite(places).all():
        return float("inf")
    difference = _distribution(old, before, places) - _distribution(new, now, places)
    return float(np.abs(difference[:-1]) @ np.diff(places)) / reference.bins.scale


def _atoms(column: ColumnProfile) -> tuple[np.ndarray, np.ndarray]:
    """Places of the rows, and the share of the rows at each; only where there are some."""
    counts = np.array(column.counts, dtype=np.float64)
    inside = counts[len(column.bins.points) :]
    with np.errstate(invalid="ignore"):
        means = np.array(column.sums) / inside
    places = np.append(np.array(column.bins.points, dtype=np.float64), means)
    return places[counts > 0], counts[counts > 0] / counts.sum()


def _distribution(atoms: np.ndarray, shares: np.ndarray, places: np.ndarray) -> np.ndarray:
    order = np.argsort(atoms)
    cumulated = np.append(0.0, np.cumsum(shares[order]))
    return cumulated[np.searchsorted(atoms[order], places, side="right")]
