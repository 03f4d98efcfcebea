"""Two fitted models on the same held-out rows, as far as the older one can still score them.

The champion is fed the features that it was trained on, in its order, so a challenger with one
feature more is compared like any other. Fetching both, and the champion's features where they are
defined otherwise than the challenger's, is `model_versions.gate`.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.errors import MlopsError, NotComparableError
from mlops_assets.ml.estimators import Estimator
from mlops_assets.ml.evaluation.calibration import miscalibration
from mlops_assets.ml.evaluation.gate import compare, row_losses
from mlops_assets.ml.file_part import Part
from mlops_assets.ml.frames import label_array
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.records.evaluation import Comparison


def compare_models(
    champion: Estimator,
    challenger: Scored,
    test: Part,
    settings: ModelSettings,
    own: pd.DataFrame | None = None,
) -> Comparison:
    """Compare two pipelines on the same rows.

    Args:
        champion: Of other settings, perhaps.
        challenger: What it says of `test`.
        test: With the targets.
        settings: The challenger's.
        own: The champion's features of these rows, in their order, where they are not its too.

    Raises:
        NotComparableError: The champion cannot score them.
    """
    features = challenger.features
    actual = label_array(test[settings.target.name], settings.target.task)
    slices = {name: features[name].to_numpy() for name in settings.evaluation.slices}
    old = scored_champion(champion, features if own is None else own, actual, settings)
    new = _losses(challenger, actual)
    return compare(
        old.losses,
        new.losses,
        task=settings.target.task,
        settings=settings.evaluation,
        clusters=test[settings.key.name].to_numpy(),
        slices=slices,
        miscalibration=(old.miscalibration, new.miscalibration),
    )


class Losses(NamedTuple):
    """What one model does on each row."""

    losses: np.ndarray
    miscalibration: np.ndarray


def scored_champion(
    champion: Estimator, features: Part, actual: np.ndarray, settings: ModelSettings
) -> Losses:
    """Losses of a model of other settings; `NotComparableError` if it cannot score the rows."""
    names = list(getattr(champion, "feature_names_in_", features.columns))
    if missing := [name for name in names if name not in features.columns]:
        raise NotComparableError(f"it was trained on features that are gone: {missing}")
    classes = np.asarray(getattr(champion, "classes_", (0, 1))).tolist()
    if settings.target.task == "binary" and classes != [0, 1]:
        raise NotComparableError(f"it predicts the classes {classes}, not 0 and 1")
    try:
        return _losses(Scored(champion, features[names], settings.target.task), actual)
    except NotComparableError:
        raise
    except (MlopsError, TypeError, ValueError) as err:  # what scikit-learn says of foreign values
        raise NotComparableError(f"it cannot score the rows of today: {err}") from err


def _losses(scored: Scored, actual: np.ndarray) -> Losses:
    scores, task, classes = scored.scores, scored.task, scored.classes
    losses = row_losses(scores, actual, task, classes)
    return Losses(losses, miscalibration(scores, actual, task, np.asarray(classes)))
