"""Statistics of two models' values on the same rows, clustered: moments, interval, test, Holm.

The difference is measured as a fraction of the champion's mean loss, whose interval is Fieller's
(1954, J. R. Stat. Soc. B 16): it allows for the champion's loss being an estimate from the same
rows. Rows of one entity are correlated, so variances are those of sums over clusters (Liang and
Zeger 1986, Biometrika 73; Miller 2024, arXiv 2411.00640) with a t distribution of clusters - 1
degrees of freedom. What several entities share, e.g. a storm that delays every flight of a day, is
not covered. What is compared, and what follows from it, stands in `ml.evaluation.gate`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Moments(NamedTuple):
    """Means of difference and champion's loss, and the covariance of these two means."""

    rows: int
    clusters: int
    difference: float
    champion: float
    covariance: np.ndarray

    @classmethod
    def of(cls, champion: np.ndarray, difference: np.ndarray, codes: np.ndarray) -> "Moments":
        """Moments of the champion's loss and of challenger less champion, all of shape (rows,).

        `codes` are the clusters of the rows, as small whole numbers.
        """
        values = np.column_stack([difference, champion])
        means, rows = values.mean(axis=0), len(values)
        deviations = (values - means).T
        sums = np.column_stack([np.bincount(codes, weights=column) for column in deviations])
        clusters = int(np.count_nonzero(np.bincount(codes)))
        # Undefined for one cluster, whose sum of deviations is 0.
        correction = clusters / (clusters - 1) if clusters > 1 else 1.0
        covariance = sums.T @ sums / rows**2 * correction
        return cls(rows, clusters, float(means[0]), float(means[1]), covariance)

    @property
    def identical(self) -> bool:
        """Whether no row differs."""
        return self.difference == 0 and self.covariance[0, 0] == 0

    @property
    def standard_error(self) -> float | None:
        """Of the difference; None if one cluster says nothing of it."""
        known = self.clusters > 1 or self.identical
        return math.sqrt(self.covariance[0, 0]) if known else None

    def t(self, margin: float) -> float:
        """Statistic of difference - margin * champion's loss against 0; NaN: not known."""
        excess = self.difference - margin * self.champion
        if self.identical:
            return -math.inf if margin > 0 else math.nan
        if self.clusters < 2:
            return math.nan
        weights = np.array([1.0, -margin])
        variance = float(weights @ self.covariance @ weights)
        if variance > 0:
            return excess / math.sqrt(variance)
        return math.copysign(math.inf, excess) if excess else math.nan

    def p_below(self, margin: float) -> float:
        """Chance of a difference this low, were it `margin` in truth; 1 if it is not known."""
        return p_value(self.t(margin), self.clusters)

    def p_above(self, margin: float) -> float:
        """Chance of a difference this high, were it `margin` in truth; 1 if it is not known."""
        return p_value(-self.t(margin), self.clusters)

    def interval(self, alpha: float) -> tuple[float | None, float | None]:
        """Fieller's, at 1 - 2 alpha, of difference / champion's loss; None: not bounded."""
        if self.identical:
            return 0.0, 0.0
        if self.clusters < 2:
            return None, None
        from scipy.special import stdtrit

        squared = float(stdtrit(self.clusters - 1, 1 - alpha)) ** 2
        a = self.champion**2 - squared * self.covariance[1, 1]
        b = self.difference * self.champion - squared * self.covariance[0, 1]
        c = self.difference**2 - squared * self.covariance[0, 0]
        if a <= 0:  # the champion's own loss is not known to be above 0
            return None, None
        half = math.sqrt(max(0.0, b * b - a * c))
        return float((b - half) / a), float((b + half) / a)


def p_value(t: float, clusters: int) -> float:
    """Chance of a statistic this low; 1 if it is not known."""
    if math.isnan(t):
        return 1.0
    if math.isinf(t):
        return float(t > 0)
    from scipy.special import stdtr  # not scipy.stats, which takes ten times as long to import

    return float(stdtr(clusters - 1, t))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the given order (Holm 1979, Scand. J. Stat. 6)."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
