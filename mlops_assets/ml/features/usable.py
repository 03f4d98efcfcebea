"""Features that tell a model nothing, found before one is trained."""

from typing import NamedTuple

from mlops_assets.config import ModelSettings
from mlops_assets.ml.file_part import Part


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


def useless_features(rows: Part, settings: ModelSettings) -> Useless:
    """The features of `rows`, as `build_features` makes them, that no model can learn from."""
    empty, constant = list[str](), list[str]()
    for name in settings.features.names:
        column = rows[name]
        empty += [name] * bool(column.isna().all())
        # A gap is not constant: it equals nothing.
        constant += [name] * bool(column.eq(column.iloc[0]).all())
    return Useless(tuple(empty), tuple(constant))
