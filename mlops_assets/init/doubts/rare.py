"""Classes of so few rows that a model cannot learn them, or cannot be tested by them."""

import numpy as np

from mlops_assets.config import ModelSettings
from mlops_assets.errors import ConfigError
from mlops_assets.ml.frames import Split, label_array

_FEWEST = 3
"""Rows of a class, of which a fifth at random holds out one."""


def require_classes(parts: Split, settings: ModelSettings) -> None:
    """Refuse rows of which those to train on or to test by lack a class that they need.

    A test needs two classes, and those of training.

    Raises:
        ConfigError: They do.
    """
    if settings.target.task == "regression":
        return
    name = settings.target.name
    learnt, held = (label_array(part[name], settings.target.task) for part in parts)
    kinds, counts = np.unique(np.concatenate([learnt, held]), return_counts=True)
    if len(kinds) < 2:
        raise ConfigError(
            f"of the target {name!r} only {_named(kinds.tolist()[0], settings)} is left in the "
            f"{counts.sum()} rows that can be used; provide rows of another class"
        )
    untested = kinds[~np.isin(kinds, held)] if len(np.unique(held)) < 2 else kinds[:0]
    unlearnt = kinds[~np.isin(kinds, learnt)]
    for lacking, said in ((unlearnt, "left to train on"), (untested, "held out to test by")):
        for kind in lacking.tolist()[:1]:
            rows = int(counts[kinds == kind][0])
            raise ConfigError(
                f"the target {name!r} is {_named(kind, settings)} in only {rows} of "
                f"{counts.sum()} rows, none of which is {said}; a class needs {_FEWEST} rows at "
                "least: provide more of it, or name another --target"
            )


def _named(kind: object, settings: ModelSettings) -> str:
    """A class as the source writes it, as far as the settings tell."""
    positive = settings.target.positive
    if settings.target.task == "multiclass":
        return repr(kind)
    if positive is None:
        is_bool = settings.contract.columns[settings.target.name].dtype == "bool"
        return str(bool(kind)).lower() if is_bool else repr(kind)
    return repr(positive) if kind == 1 else f"other than {positive!r}"
