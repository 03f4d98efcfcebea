"""Processed rows -> features and the target, a row for each key and moment; as `features` has them.

The feature store is not asked: it keeps the same rows for serving, and gives them back.
"""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from mlops_assets.errors import FeatureError
from mlops_assets.ml.data.processing import identified
from mlops_assets.ml.features.build import build_features
from mlops_assets.ml.features.labelled import with_targets
from mlops_assets.ml.features.usable import useless_features
from mlops_assets.parts.blocks import (
    Block,
    lasting,
    moment_or_now,
    one_hot_texts,
    require_frame,
    require_rows,
    settings_over,
)


@dataclass(frozen=True)
class FeatureEngineer:
    """Compute the features of a flat table or an event log, and the target where it is known.

    >>> engineer = FeatureEngineer({"columns": ["age"]}, {"name": "leaves", "task": "binary"})
    >>> engineer.run(pd.DataFrame({"age": [20, 30], "leaves": [0, 1]}))[["age", "leaves"]].shape
    (2, 2)
    """

    features: Block
    """The YAML's block, as all that follow."""
    target: Block
    entity: Block = None
    """None: a row is known by its number, the column `row`."""
    timestamp: str | None = None
    """A column; None: all rows are as of now."""
    weight: str | None = None
    """The column of `training.weight`, which is kept."""

    def run(self, rows: pd.DataFrame, now: datetime | None = None) -> pd.DataFrame:
        """The features of `rows`, which are not modified.

        Args:
            rows: As `DataProcessor` returns them.
            now: What happened until then is known; default: the clock.

        Returns:
            A row for each entity and moment (of an event log each snapshot): the entity,
            `event_timestamp` (UTC), the target (NaN: not known yet) and the features.

        Raises:
            ConfigError: A block has faults, or does not fit the columns.
            FeatureError: The rows do not give the features, or the target.
        """
        require_frame(rows, "rows")
        require_rows(rows, FeatureError)
        now, training = moment_or_now(now), {"split": {"by": "random", "fraction": 0.2}}
        settings = settings_over(
            rows,
            features=lasting(self.features),
            target=self.target,
            entity=self.entity,
            timestamp=self.timestamp,
            training={**training, "weight": self.weight},
            processing={"categorical_encoding": one_hot_texts(rows, self.features)},
        )
        rows = identified(rows, settings, now)
        features = build_features(rows, settings)
        useless = useless_features(features, settings)
        if useless.empty:
            raise FeatureError(useless.said)
        return with_targets(features, rows, settings, now)
