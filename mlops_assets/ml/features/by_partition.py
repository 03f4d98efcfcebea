"""Which rows of features are of which partition. What a run does then: `assets.partitioned`."""

import hashlib
import json
from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.piecewise.partitions import partition_keys
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.stored_rows import AnyRows, frames_of


class Found(NamedTuple):
    """By the first day of a partition, e.g. 2024-01-31; of those that have rows."""

    versions: dict[str, str]
    """A digest of its rows' values in their order, whichever batches they are read in."""
    rows: dict[str, int]

    @property
    def version(self) -> str:
        """A digest of all of them."""
        return hashlib.sha256(json.dumps(self.versions, sort_keys=True).encode()).hexdigest()[:32]


def by_partition(rows: AnyRows, settings: ModelSettings) -> Found:
    """What the rows of each partition are, and how many.

    Args:
        rows: Features, and the target where it is known; a row is of the partition of its moment.
        settings: Of a model with partitions.
    """
    if settings.partitions is None:
        raise TypeError(f"{settings.name} has no partitions")
    digests: dict[str, Any] = {}
    counts: Counter[str] = Counter()
    for frame in frames_of(rows, [*rows.columns]):
        hashes = pd.util.hash_pandas_object(_with_one_nan(frame), index=False).to_numpy()
        codes, keys = pd.factorize(partition_keys(frame[TIMESTAMP], settings.partitions))
        order, sizes = np.argsort(codes, kind="stable"), np.bincount(codes, minlength=len(keys))
        for key, its in zip(keys, np.split(hashes[order], np.cumsum(sizes)[:-1]), strict=True):
            digests.setdefault(key, hashlib.sha256()).update(its.tobytes())
            counts[key] += len(its)
    versions = {key: digest.hexdigest()[:32] for key, digest in sorted(digests.items())}
    return Found(versions, {**counts})


def _with_one_nan(frame: pd.DataFrame) -> pd.DataFrame:
    """The same with one pattern of bits for NaN: 0/0 makes another than a file gives back."""
    floats = frame.select_dtypes("floating")
    return frame.assign(
        **{str(name): one.where(one.notna(), np.nan) for name, one in floats.items()}
    )
