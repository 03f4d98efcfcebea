"""Where the entities of a random split or of random folds are, the same in every table.

It follows from who they are, not from how many: a row that was held out is so in the next delivery
too, but for a few. Else a champion would have learnt most of the rows that it is compared with its
challenger on, and win. Classes are shared out alike.
"""

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.file_part import Part, frames_in

_GOLDEN = 0x9E3779B97F4A7C15


def places(rows: Part, settings: ModelSettings) -> np.ndarray:
    """A number in (0, 1) for each row: any span of them is as large a share of each class.

    An entity has one for all its rows, and counts as the rarest of its classes. Without an entity
    rows are told apart by their features, and equal ones by their order.

    Args:
        rows: Key, features and target, without gaps in the target, in an order that is always the
            same.
        settings: With the seed.
    """
    codes, ids = _identities(rows, settings)
    of_entity = np.full(len(ids), len(rows) + 1)
    np.minimum.at(of_entity, codes, _rarity(rows[settings.target.name], settings))
    shuffled, place = mixed(ids, settings.training.seed), np.empty(len(ids))
    del ids
    for rarity in np.unique(of_entity):
        alike = np.flatnonzero(of_entity == rarity)
        order = alike[np.argsort(shuffled[alike], kind="stable")]
        place[order] = (np.arange(1, len(order) + 1) - 0.5) / len(order)
    return place[codes]


def _identities(rows: Part, settings: ModelSettings) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's entity, and a hash of each entity."""
    if settings.entity is not None:
        codes, entities = pd.factorize(rows[settings.entity.name], sort=True)
        return codes, pd.util.hash_array(np.asarray(entities))
    return np.arange(len(rows)), row_hashes(rows[list(settings.features.names)])


def row_hashes(rows: Part) -> np.ndarray:
    """A hash of what each row says; of equal rows they differ by their order."""
    each = [pd.util.hash_pandas_object(frame, index=False) for frame in frames_in(rows)]
    return told_apart(pd.concat(each, ignore_index=True))


def told_apart(alike: pd.Series) -> np.ndarray:
    """The hashes, of which equal ones differ by their order."""
    if alike.is_unique:  # of 10 million rows 5 CPU seconds less
        return alike.to_numpy()
    earlier = alike.groupby(alike).cumcount().to_numpy(np.uint64)
    return alike.to_numpy() + earlier * np.uint64(_GOLDEN)


def _rarity(target: pd.Series, settings: ModelSettings) -> np.ndarray:
    """1 for rows of the rarest class, 2 for the next; of a regression 1 for all."""
    if settings.target.task == "regression":
        return np.ones(len(target), dtype=np.int64)
    ranks = target.value_counts().sort_index().rank(method="first")
    return target.map(ranks).to_numpy(np.int64)


def mixed(ids: np.ndarray, seed: int) -> np.ndarray:
    """Hashes that another seed shuffles anew: the finalizer of SplitMix64 (Steele et al. 2014)."""
    mixed = ids.astype(np.uint64) + np.uint64((seed + 1) * _GOLDEN % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
