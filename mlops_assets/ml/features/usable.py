"""Features that tell a model nothing, found before one is trained."""

from typing import NamedTuple

import pandas as pd

from mlops_assets.config import ModelSettings


class Useless(NamedTuple):
    """Names of features, in the order of the columns."""

    empty: tuple[str, ...]
    """Without any value: most estimators refuse them, and what the others learn is chance."""
    constant: tuple[str, ...]
    """Of one value in each row: harmless, and of no use."""

    @property
    def said(self) -> str:
        """What is wrong with them, and the remedy; empty if nothing is."""
        parts = []
        if self.empty:
            parts.append(
                f"the features {list(self.empty)} have no value in any row; remove them from "
                "`features`, or correct their column in the source or its `from`"
            )
        if self.constant:
            parts.append(
                f"the features {list(self.constant)} have one value in all rows, and so tell the "
                "model nothing; remove them from `features`"
            )
        return "; ".join(parts)


def useless_features(rows: pd.DataFrame, settings: ModelSettings) -> Useless:
    """The features of `rows`, a frame of `build_features`, that no model can learn from."""
    columns = [rows[name] for name in settings.features.names]
    empty = [str(one.name) for one in columns if one.isna().all()]
    # A gap is not constant: it equals nothing.
    constant = [str(one.name) for one in columns if one.eq(one.iloc[0]).all()]
    return Useless(tuple(empty), tuple(constant))
