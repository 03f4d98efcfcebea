"""Whether live columns have moved away from their reference: how far, and beyond chance or not.

A column has drifted when both hold. The effect: its population stability index, corrected for what
chance alone adds (with B bins and n and m rows about (B - 1)(1/n + 1/m); Yurdakul 2018, Statistical
Properties of Population Stability Index), is above `threshold`. The evidence: a chi-square test of
both histograms, under control of the false-discovery rate over the columns (Benjamini and Hochberg
1995, J. R. Stat. Soc. B 57). So neither a million rows make a drift of a trifle, nor fifty rows one
of noise. Missing values are a bin like any other.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import numpy as np

from mlops_assets.config import ModelSettings
from mlops_assets.ml.monitoring.profiles import coarsened
from mlops_assets.ml.monitoring.seasons import Chosen
from mlops_assets.records.monitoring import DriftSummary, Window
from mlops_assets.records.profile import ColumnProfile, Profile

_BROKEN_MISSING = 0.5
_RARE_MISSING = 0.05
_USUAL = 0.5
"""Share of the reference from which on a value is the usual one, as 0 is of rain."""


class Distance(NamedTuple):
    """How far apart two histograms of a column are."""

    psi: float
    jensen_shannon: float
    """Divergence in bits, 0 to 1."""
    kolmogorov_smirnov: float
    """Largest difference of the distributions at the bins' edges; of texts the total variation."""
    wasserstein: float
    """In standard deviations of the reference; of texts 0."""
    p_value: float
    """Of the chi-square test that both come from one distribution."""


class Finding(NamedTuple):
    """A window beside what it was compared with, and the verdict."""

    reference: Profile
    live: Profile
    distances: dict[str, Distance]
    summary: DriftSummary

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns with values in both: without any, a distance of 0 says nothing."""
        both = (self.reference.columns, self.live.columns)
        return tuple(
            name
            for name in self.distances
            if all(columns[name].rows > columns[name].missing for columns in both)
        )

    def columns_to_draw(self, *, everything: bool) -> tuple[str, ...]:
        """Those that drifted, or all."""
        return tuple(self.reference.columns) if everything else self.summary.drifted_columns


def examine(
    reference: Chosen, live: Profile, model: ModelSettings, version: int, window: Window
) -> Finding:
    """Judge a window against the reference that was chosen for it."""
    live = coarsened(live, reference.profile.bins)
    judged = summarize(reference.profile, live, model, version, window)
    notes = (*reference.notes, *_ageing_otherwise(live, model.monitoring.drift.ageing))
    summary = judged.model_copy(update={"reference": reference.kind, "notes": notes})
    return Finding(reference.profile, live, distances(reference.profile, live), summary)


def summarize(
    reference: Profile, live: Profile, model: ModelSettings, version: int, window: Window
) -> DriftSummary:
    """Judge a window; columns of `monitoring.drift.ignore` are scored, but do not count."""
    settings = model.monitoring.drift
    enough = live.rows >= settings.min_rows and reference.rows >= settings.min_rows
    found = distances(reference, live)
    watched = [name for name in found if name not in settings.ignore]
    adjusted = dict(
        zip(watched, benjamini_hochberg([found[n].p_value for n in watched]), strict=True)
    )
    faults = {n: fault(reference.columns[n], live.columns[n]) for n in watched}
    broken = [name for name in watched if faults[name]]
    drifted = [
        name
        for name in watched
        if name not in broken
        and found[name].psi > settings.threshold
        and adjusted[name] <= settings.alpha
    ]
    reasons = [
        f"{name}: PSI {found[name].psi:.3f} is above {settings.threshold:g} "
        f"(adjusted p {adjusted[name]:.2g})"
        for name in drifted
    ]
    reasons += [f"{name}: {faults[name]}" for name in broken]
    verdict = "drifted" if drifted else "calm"
    return DriftSummary(
        model=model.name,
        model_version=version,
        window=window,
        rows=live.rows,
        reference_rows=reference.rows,
        verdict=verdict if enough else "unknown",
        drifted_columns=tuple(drifted) if enough else (),
        broken_columns=tuple(broken) if enough else (),
        scores={name: one.psi for name, one in found.items()},
        reasons=tuple(reasons) if enough else (),
    )


def distances(reference: Profile, live: Profile) -> dict[str, Distance]:
    """Compare each column of the reference."""
    return {
        name: distance(column, live.columns[name]) for name, column in reference.columns.items()
    }


def distance(reference: ColumnProfile, live: ColumnProfile) -> Distance:
    """Compare two profiles in the same bins."""
    old, new = _histogram(reference), _histogram(live)
    if not old.sum() or not new.sum():
        return Distance(0.0, 0.0, 0.0, 0.0, 1.0)
    present = old + new > 0
    old, new = old[present], new[present]
    p, q = old / old.sum(), new / new.sum()
    middle = (p + q) / 2
    return Distance(
        psi=corrected_psi(old, new),
        jensen_shannon=float(_entropy(middle) - (_entropy(p) + _entropy(q)) / 2),
        kolmogorov_smirnov=_largest_gap(reference, live),
        wasserstein=wasserstein(reference, live),
        p_value=_chi_square(old, new),
    )


def psi(old: np.ndarray, new: np.ndarray) -> float:
    """Population stability index of two histograms in counts; an empty bin counts half a row."""
    p = np.maximum(old, 0.5) / old.sum()
    q = np.maximum(new, 0.5) / new.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def corrected_psi(old: np.ndarray, new: np.ndarray) -> float:
    """`psi` less what two samples of one distribution would show on average; at least 0."""
    chance = (len(old) - 1) * (1 / old.sum() + 1 / new.sum())
    return max(0.0, psi(old, new) - float(chance))


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the given order."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values)[::-1]
    ranks = np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum.accumulate(values[order] * len(values) / ranks)
    return np.minimum(adjusted, 1.0).tolist()


def fault(reference: ColumnProfile, live: ColumnProfile) -> str:
    """Why the column looks broken upstream, mostly missing or constant now; empty: it does not."""
    if not live.rows or not reference.rows:
        return ""
    missing, before = live.missing / live.rows, reference.missing / reference.rows
    if missing >= _BROKEN_MISSING and before <= _RARE_MISSING:
        return f"{missing:.0%} of the rows are missing, {before:.0%} in the reference"
    if not _is_constant(live) or _is_constant(reference):
        return ""
    # The usual value for a whole window is no fault: most days have no rain at all.
    old, new = (
        np.array(one.counts) if any(live.counts) else _histogram(one) for one in (reference, live)
    )
    share = float(old[np.argmax(new)] / max(old.sum(), 1))
    if share >= _USUAL:
        return ""
    value = live.low if live.low is not None else "the same"
    return f"every row is {value}, of the reference {share:.0%} are like that"


def _ageing_otherwise(live: Profile, asked: Mapping[str, timedelta]) -> tuple[str, ...]:
    found = {name: bins.ageing.per for name, bins in live.bins.items() if bins.ageing}
    if found == asked:
        return ()
    names = ", ".join(found) or "none"
    return (
        f"columns counted as ageing: {names}; drift.ageing is as of the next reference_profile",
    )


def _is_constant(column: ColumnProfile) -> bool:
    if column.missing == column.rows:
        return True
    if column.low is not None:
        return column.low == column.high
    return sum(count > 0 for count in column.counts) == 1


def _histogram(column: ColumnProfile) -> np.ndarray:
    return np.array([*column.counts, column.missing], dtype=np.float64)


def _entropy(shares: np.ndarray) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())


def _chi_square(old: np.ndarray, new: np.ndarray) -> float:
    """Two-sample chi-square test of homogeneity; bins that are rare in both count together."""
    from scipy.special import chdtrc  # not scipy.stats: ten times the import

    share = (old + new) / (old.sum() + new.sum())
    rare = np.minimum(old.sum(), new.sum()) * share < 5
    if rare.sum() > 1:
        old = np.append(old[~rare], old[rare].sum())
        new = np.append(new[~rare], new[rare].sum())
    if len(old) < 2:
        return 1.0
    ratio = np.sqrt(new.sum() / old.sum())
    statistic = float(np.sum((old * ratio - new / ratio) ** 2 / (old + new)))
    return float(chdtrc(len(old) - 1, statistic))


def _largest_gap(reference: ColumnProfile, live: ColumnProfile) -> float:
    p, q = (np.array(one.counts, dtype=np.float64) for one in (reference, live))
    if not p.sum() or not q.sum():
        return 0.0
    p, q = p / p.sum(), q / q.sum()
    points = reference.bins.points
    if reference.bins.are_texts:
        return float(np.abs(p - q).sum() / 2)
    # Where each bin ends: a point at itself, an interval at its upper edge.
    ends = np.array([*points, *reference.bins.edges, np.inf], dtype=np.float64)
    order = np.argsort(ends, kind="stable")
    return float(np.abs(np.cumsum((p - q)[order])).max())


def wasserstein(reference: ColumnProfile, live: ColumnProfile) -> float:
    """How far values moved, in standard deviations of the reference, not into how many bins.

    Each point stands where it is, and the rows of an interval at their mean, so a shift of all rows
    is measured exactly. 0 where a side has no number, as of texts; infinite where one is.
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
