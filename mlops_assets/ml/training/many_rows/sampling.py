"""Which training rows are fitted where `training.sample` bounds their number, and how each counts.

In a stratum (a class, or all rows) each row has the same chance, and a drawn one counts for its
inverse, so that a weighted sum over the drawn rows estimates that over all (Horvitz and Thompson
1952, A Generalization of Sampling Without Replacement From a Finite Universe). Of a stratum these
weights add up to exactly its rows: whichever class is downsampled, the base rate stays.

Who is drawn follows from the seed and from what a row is, not from where it stands; fewer rows are
a part of more. Rows that are held out are never sampled.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.blocks.training import SampleSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import TrainingError
from mlops_assets.ml.file_part import Part, frames_in, in_memory
from mlops_assets.ml.frames import TIMESTAMP, label_array
from mlops_assets.ml.training.held_out import mixed, told_apart
from mlops_assets.ml.training.weights import row_weights
from mlops_assets.records.reproduction import SampledRows, Stratum


class Sample(NamedTuple):
    """The rows that are fitted."""

    rows: Part
    """In the order of those that they are drawn from."""
    target: np.ndarray
    design_weights: np.ndarray | None
    """How many rows each stands for; None where all stand for as many."""
    weights: np.ndarray | None
    """How much each counts in the training, of mean 1; None where all count alike."""


def sampled(train: Part, settings: ModelSettings) -> Sample:
    """The rows of `train` that are fitted: all, unless `training.sample` has fewer.

    Args:
        train: As `ml.training.fit.split` returns them, without gaps in the target.
        settings: Of the model.

    Raises:
        TrainingError: As `row_weights`; a class has no drawn row, or no drawn row a weight.
    """
    target = label_array(train[settings.target.name], settings.target.task)
    weights = row_weights(train, target, settings)
    strata = _strata(target, settings)
    if strata is None:
        rows = train if settings.training.sample is None else in_memory(train)
        return Sample(rows, target, None, weights)
    places = _drawn(train, strata, settings)
    _require_classes(target, places, settings)
    rows = train.take(places).reset_index(drop=True)
    design = (strata.counts / strata.drawn)[strata.codes[places]]
    own = np.ones(len(places)) if weights is None else weights[places]
    if len(strata.counts) > 1:
        return Sample(rows, target[places], design, _of_mean_one(own * design, len(train)))
    alike = None if weights is None else _of_mean_one(own, len(train))
    return Sample(rows, target[places], None, alike)


def sampled_rows(train: Part, settings: ModelSettings) -> SampledRows | None:
    """How many rows of each stratum `sampled` draws; None if it takes all."""
    target = label_array(train[settings.target.name], settings.target.task)
    strata = _strata(target, settings)
    if strata is None:
        return None
    each = zip(strata.names.tolist(), strata.counts.tolist(), strata.drawn.tolist(), strict=True)
    told = [Stratum(name=str(n), rows=of, drawn=d, weight=of / d) for n, of, d in each]
    return SampledRows(strata=tuple(told))


class _Strata(NamedTuple):
    names: np.ndarray
    codes: np.ndarray
    """Of each row the place of its stratum in the others."""
    counts: np.ndarray
    drawn: np.ndarray


def _strata(target: np.ndarray, settings: ModelSettings) -> _Strata | None:
    """Those that rows are drawn from, and how many from each; None if all rows are taken."""
    wanted = settings.training.sample
    if wanted is None or len(target) <= wanted.rows:
        return None
    if not wanted.stratify:
        codes = np.zeros(len(target), dtype=np.int64)
        return _Strata(np.array([""]), codes, np.array([len(target)]), np.array([wanted.rows]))
    names, codes, counts = np.unique(target, return_inverse=True, return_counts=True)
    return _Strata(names, codes, counts, _shares(counts, wanted))


def _shares(counts: np.ndarray, wanted: SampleSettings) -> np.ndarray:
    """As many rows of each stratum; what a small one lacks is shared by the others."""
    if wanted.rows < len(counts):
        raise TrainingError(
            f"training.sample.rows {wanted.rows} are fewer than the {len(counts)} classes of the "
            "training rows; raise it"
        )
    shares, left = np.zeros_like(counts), wanted.rows
    for done, place in enumerate(np.argsort(counts, kind="stable")):
        shares[place] = min(counts[place], left // (len(counts) - done))
        left -= shares[place]
    return shares


def _drawn(train: Part, strata: _Strata, settings: ModelSettings) -> np.ndarray:
    """The places of the rows with the lowest numbers of each stratum, in order."""
    numbers = mixed(_identities(train, settings), settings.training.seed)
    places: list[np.ndarray] = []
    for code, count in enumerate(strata.drawn):
        members = np.flatnonzero(strata.codes == code)
        places.append(members[np.argsort(numbers[members], kind="stable")[:count]])
    return np.sort(np.concatenate(places)).astype(np.int64)


def _identities(train: Part, settings: ModelSettings) -> np.ndarray:
    """A hash of each row: of its entity and moment, or without an entity of all that it says.

    A moment that is no column is that of the delivery, and tells no row from another.
    """
    keys = [settings.key.name, TIMESTAMP]
    said = list(train.columns.drop(keys)) if settings.entity is None else [settings.entity.name]
    dated = settings.timestamp is not None
    hashes = []
    for frame in frames_in(train[[*said, TIMESTAMP]] if dated else train[said]):
        moment = {TIMESTAMP: frame[TIMESTAMP].dt.as_unit("us")} if dated else {}
        each = pd.DataFrame({**{name: frame[name] for name in said}, **moment})
        hashes.append(pd.util.hash_pandas_object(each, index=False))
    return told_apart(pd.concat(hashes, ignore_index=True))


def _require_classes(target: np.ndarray, places: np.ndarray, settings: ModelSettings) -> None:
    if settings.target.task == "regression":
        return
    if lost := sorted(set(np.unique(target).tolist()) - set(np.unique(target[places]).tolist())):
        raise TrainingError(
            f"none of the {len(places):,} rows that training.sample drew of {len(target):,} is of "
            f"the classes {lost}; set training.sample.stratify: true, or raise training.sample.rows"
        )


def _of_mean_one(weights: np.ndarray, rows: int) -> np.ndarray:
    if not weights.any():
        raise TrainingError(
            f"every weight of the {len(weights):,} rows that training.sample drew of {rows:,} is "
            "0; raise training.sample.rows"
        )
    return weights / weights.mean()
