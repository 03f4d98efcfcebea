"""Features and their target -> a fitted pipeline and the rows held out; as `trained_model` has it.

Logging and registering it is `resources.tracking`'s.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.blocks.data import ROW
from mlops_assets.errors import TrainingError
from mlops_assets.ml.estimators import Pipeline
from mlops_assets.ml.frames import TIMESTAMP, Split, with_columns
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.training.fit import split
from mlops_assets.ml.training.train import Training, train_pipeline
from mlops_assets.parts.blocks import (
    Block,
    block_value,
    lasting,
    over_table,
    require_frame,
    require_rows,
    settings_over,
    with_target,
)


@dataclass(frozen=True)
class TrainedModel:
    """A fitted pipeline, and the rows that it was and was not fitted on."""

    training: Training
    rows: Split

    @property
    def pipeline(self) -> Pipeline:
        """Of scikit-learn: encoding, imputing and scaling, then the estimator."""
        return self.training.model

    def scores(self, features: pd.DataFrame) -> np.ndarray:
        """What it says of rows of features: float64 of shape (rows, k), as the endpoint answers.

        Binary: k = 1, the probability of the positive class; multiclass: a probability for each
        class; regression: k = 1, the value.
        """
        return Scored.of(self.pipeline, features, self.training.settings).scores


@dataclass(frozen=True)
class ModelTrainer:
    """Hold rows out, choose and tune if asked to, and fit."""

    training: Block
    """The YAML's block, as all that follow."""
    target: Block
    entity: Block = None
    """All rows of one are on the same side of a random split; None: each row is one."""
    timestamp: str | None = None
    """Given where `FeatureEngineer` was given one: a split by time is by `event_timestamp`."""
    processing: Block = None
    """Of it `categorical_encoding`: text features need one."""

    def run(self, features: pd.DataFrame) -> TrainedModel:
        """Train on rows as `FeatureEngineer` returns them, or on any table of numbers and texts.

        Args:
            features: The target's column (0 and 1 if binary), and besides entity, moment and
                weight nothing but features. Not modified; equal rows give an equal model.

        Raises:
            ConfigError: A block has faults, or does not fit the columns.
            TrainingError: The rows cannot be split, or the estimator cannot be fitted.
        """
        require_frame(features, "features")
        require_rows(features, TrainingError)
        encoding = block_value(self.processing, "categorical_encoding")
        settings = settings_over(
            features.drop(columns=ROW.name, errors="ignore"),
            features=lasting({"columns": self._features(features)}),
            target=over_table(self.target),
            entity=self.entity,
            timestamp=TIMESTAMP if self.timestamp else None,
            processing={"categorical_encoding": encoding or {}},
            training=self.training,
        )
        settings = with_target(settings, self.target)
        rows = split(_keyed(features, settings.key.name), settings)
        return TrainedModel(train_pipeline(rows.train, settings), rows)

    def _features(self, frame: pd.DataFrame) -> list[str]:
        entity = block_value(self.entity, "name")
        weight = block_value(self.training, "weight")
        others = {entity or ROW.name, TIMESTAMP, block_value(self.target, "name"), weight}
        return [str(name) for name in frame.columns if name not in others]


def _keyed(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """The frame with a key and a moment for each row, where it has none."""
    added: dict[str, Any] = {}
    if key not in frame:
        added[key] = np.arange(len(frame))
    if TIMESTAMP not in frame:
        added[TIMESTAMP] = pd.Timestamp(datetime.now(UTC)).as_unit("ns")
    return with_columns(frame, added)
