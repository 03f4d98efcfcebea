"""From labelled rows to a fitted scikit-learn pipeline: split, prepare, fit.

The pipeline holds only classes of scikit-learn and what the settings name, no function or lambda of
ours, so that it can be saved by skops and loaded by a fixed allow-list. Randomness comes from
`training.seed` alone: the same rows, in any order, give the same model. scikit-learn is imported
inside functions: 6 CPU seconds, which the code location must not pay.
"""

from typing import Any, overload

import numpy as np
import pandas as pd

from mlops_assets.blocks.training import EarlyStopping
from mlops_assets.config import ModelSettings
from mlops_assets.errors import EngineError, TrainingError
from mlops_assets.ml.estimators import Estimator, Pipeline
from mlops_assets.ml.features.snapshots import calendar_step
from mlops_assets.ml.file_part import FilePart, Part, in_memory
from mlops_assets.ml.frames import TIMESTAMP, Split, label_array, select_features
from mlops_assets.ml.stored_rows import AnyRows
from mlops_assets.ml.training.early_stopping import (
    Judged,
    best_rounds,
    inner,
    later_part,
    set_rounds,
)
from mlops_assets.ml.training.estimators import build_estimator
from mlops_assets.ml.training.held_out import places
from mlops_assets.ml.training.many_rows.from_file import learn_file, shown
from mlops_assets.ml.training.many_rows.growing import Grow, grown_here
from mlops_assets.ml.training.many_rows.labelled import labelled_rows
from mlops_assets.ml.training.many_rows.sampling import sampled
from mlops_assets.ml.training.unfit_rows import explained, require_finite, require_narrow
from mlops_assets.ml.training.weights import fit_arguments


@overload
def split(rows: pd.DataFrame, settings: ModelSettings) -> Split[pd.DataFrame]: ...
@overload
def split(rows: AnyRows, settings: ModelSettings) -> Split[Part]: ...
def split(rows: AnyRows, settings: ModelSettings) -> Split[Any]:
    """Hold out rows for the evaluation; rows whose target is not known yet are left out.

    By time: the test rows are those later than `newest - split.test`, where `newest` is the newest
    labelled moment; of monthly snapshots `3 months` are the last three. Over an event log, training
    snapshots whose label window reaches into the test period are purged, because their labels
    are made of the very events that the test predicts from (López de Prado 2018, Advances in
    Financial Machine Learning, ch. 7).

    At random: a fraction of the entities of each class with all their rows, so that none is in both
    parts (`ml.training.held_out`).

    Args:
        rows: Entity, event_timestamp, features and target.
        settings: Of the model.

    Returns:
        The keys, the features as `select_features` gives them, and the target; of stored rows with
        `training.external_memory` parts of their file.

    Raises:
        TrainingError: One of the two parts is empty.
        FeatureError: A column is missing or of the wrong type.
    """
    labelled = labelled_rows(rows, settings)
    by_time = settings.split.by == "time"
    in_train, in_test = (_by_time if by_time else _by_entity)(labelled, settings)
    if not in_train.any() or not in_test.any():
        first, last = labelled[TIMESTAMP].iloc[[0, -1]]
        raise TrainingError(
            f"of {len(labelled)} labelled rows from {first} to {last}, {int(in_train.sum())} are "
            f"left to train on and {int(in_test.sum())} to test on; shorten training.split.test or "
            "target.window, change training.split.fraction, or provide more data"
        )
    return Split(*(_taken(labelled, part) for part in (in_train, in_test)))


def _taken(rows: Part, part: np.ndarray) -> Part:
    """Some rows, counted anew; a single copy of them."""
    if isinstance(rows, FilePart):
        return rows.where(part)
    taken = rows.take(np.flatnonzero(part))
    taken.index = pd.RangeIndex(len(taken))
    return taken


def _by_time(rows: Part, settings: ModelSettings) -> tuple[np.ndarray, np.ndarray]:
    moments = rows[TIMESTAMP]
    in_test = moments > moments.iloc[-1] - calendar_step(str(settings.split.test))
    window = settings.target.window
    if window is None:
        return (~in_test).to_numpy(), in_test.to_numpy()
    return (moments + window <= moments[in_test].min()).to_numpy(), in_test.to_numpy()


def _by_entity(rows: Part, settings: ModelSettings) -> tuple[np.ndarray, np.ndarray]:
    held_out = places(rows, settings) < float(settings.split.fraction or 0)
    return ~held_out, held_out


def fit(train: Part, settings: ModelSettings, grow: Grow = grown_here) -> Pipeline:
    """Fit the pipeline of `build_pipeline` on `train`, rows as `split` returns them.

    Of rows that stay in their file `grow` makes the trees.

    Raises:
        TrainingError: A target is missing, only one class occurs, or the estimator refuses the
            parameters or the values.
        DottedPathError: As `build_pipeline`.
    """
    if missing := int(train[settings.target.name].isna().sum()):
        raise TrainingError(
            f"{missing} of {len(train)} training rows have no target {settings.target.name!r}; "
            "train on the rows of `split`, which leaves them out"
        )
    classes = np.unique(_target(train, settings))
    if settings.target.task != "regression" and len(classes) < 2:
        raise TrainingError(
            f"the {len(train)} training rows have only the classes {classes.tolist()}; provide "
            "rows of another class, or change `positive` or the threshold of `target`"
        )
    rows, target, _, weights = sampled(train, settings)
    some = shown(rows, target, weights, settings)
    features = select_features(some.rows, settings.feature_dtypes)
    numeric = pd.DataFrame(
        {name: features[name] for name in _plain(settings)}, features.index, copy=False
    )
    require_finite(numeric, settings)
    require_narrow(features, settings)
    pipeline = build_pipeline(settings)
    try:
        with np.errstate(
            over="ignore", invalid="ignore"
        ):  # the evaluation refuses what is not finite
            if settings.training.early_stopping is not None:
                set_rounds(
                    pipeline,
                    _best_rounds(in_memory(train), settings, settings.training.early_stopping),
                )
            pipeline.fit(features, some.target, **fit_arguments(pipeline[-1], some.weights))
            learn_file(pipeline, rows, target, weights, settings, grow)
    except (TrainingError, EngineError):
        raise
    except Exception as err:  # LightGBM, CatBoost and a user's class have errors of their own
        raise explained(err, pipeline, numeric, settings) from err
    _check_answers(pipeline, features, settings)
    if "target" in settings.processing.categorical_encoding.values():
        # Only fitting needs the splitter, and skops would not load it by the fixed list.
        pipeline.set_params(prepare__target__cv=5)
        pipeline["prepare"].named_transformers_["target"].set_params(cv=5)
    return pipeline


def _best_rounds(train: pd.DataFrame, settings: ModelSettings, wanted: EarlyStopping) -> int:
    """How many rounds are best for rows that the fitting did not see."""
    fitted, judged = _judging_part(train, settings, wanted)
    if settings.target.task != "regression":  # a class that the fitting does not know has no score
        name = settings.target.name
        judged = judged[judged[name].isin(fitted[name])].reset_index(drop=True)
    fitted, target, _, weights = sampled(fitted, settings)
    judged, judged_target, _, judged_weights = sampled(judged, settings)
    pipeline, dtypes = build_pipeline(settings), settings.feature_dtypes
    features, judged_features = (
        select_features(in_memory(part), dtypes) for part in (fitted, judged)
    )
    if pipeline.steps[:-1]:
        prepare = pipeline[:-1]
        features = prepare.fit_transform(features, target)
        judged_features = prepare.transform(judged_features)
    if settings.target.task != "regression":
        classes = np.unique(target)
        target, judged_target = (np.searchsorted(classes, each) for each in (target, judged_target))
    rows = Judged(features, target, weights, judged_features, judged_target, judged_weights)
    return best_rounds(inner(pipeline[-1]), rows, wanted)


def _judging_part(
    train: pd.DataFrame, settings: ModelSettings, wanted: EarlyStopping
) -> Split[pd.DataFrame]:
    cut = settings.split
    if cut.by == "time":
        return later_part(train, settings, wanted.fraction)
    cut = cut.model_copy(update={"fraction": wanted.fraction})
    training = settings.training.model_copy(
        update={"split": cut, "seed": settings.training.seed + 1}
    )
    return split(train, settings.model_copy(update={"training": training}))


def _check_answers(pipeline: Estimator, features: pd.DataFrame, settings: ModelSettings) -> None:
    """Refuse what can be fitted, but not asked: more neighbours than rows, for one."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            pipeline.predict(features.head(1))
    except Exception as err:  # as above
        raise TrainingError(
            f"{settings.training.estimator} is fitted, but cannot predict: {err}; correct "
            "training.params"
        ) from err


def build_pipeline(settings: ModelSettings) -> Pipeline:
    """The unfitted scikit-learn Pipeline: encoding, imputing and scaling as asked, then `model`.

    Raises:
        DottedPathError: The estimator cannot be imported.
        TrainingError: It is no estimator, knows not all the parameters, or does not fit the task.
    """
    import sklearn.pipeline  # 6 CPU s

    model = build_estimator(settings)
    return sklearn.pipeline.Pipeline([*_preparation(settings), ("model", model)])


def _preparation(settings: ModelSettings) -> list[tuple[str, Any]]:
    """Steps before the model, as few as possible: each costs the endpoint time per request."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline

    encodings = settings.processing.categorical_encoding
    numeric = _numeric_steps(settings)
    if not encodings:
        return numeric
    parts: list[tuple[str, Any, list[str]]] = [
        (kind, encoder, columns)
        for kind, encoder in _encoders(settings).items()
        if (columns := [n for n in settings.features.names if encodings.get(n) == kind])
    ]
    if plain := _plain(settings):
        steps = [step for _, step in numeric]
        parts.append(("numeric", make_pipeline(*steps) if steps else "passthrough", plain))
    return [("prepare", ColumnTransformer(parts))]


def _numeric_steps(settings: ModelSettings) -> list[tuple[str, Any]]:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    impute = settings.training.impute
    steps: list[tuple[str, Any]] = []
    if impute != "none":
        strategy = "constant" if impute == "zero" else impute
        # A column without any value must stay, or the model's columns would shift.
        imputer = SimpleImputer(strategy=strategy, fill_value=0.0, keep_empty_features=True)
        steps.append(("impute", imputer))
    if settings.training.scale:
        steps.append(("scale", StandardScaler()))
    return steps


def _encoders(settings: ModelSettings) -> dict[str, Any]:
    """One encoder per kind; a category that training did not see is never an error."""
    from sklearn.model_selection import KFold
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

    task = settings.target.task
    return {
        "one_hot": OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        "ordinal": OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1
        ),
        # Told the type: by itself it takes whole numbers of a regression for classes.
        "target": TargetEncoder(
            target_type="continuous" if task == "regression" else task,
            cv=KFold(5, shuffle=True, random_state=settings.training.seed),
        ),
    }


def _plain(settings: ModelSettings) -> list[str]:
    """Features that reach the model as numbers of their own."""
    encoded = settings.processing.categorical_encoding
    return [name for name in settings.features.names if name not in encoded]


def _target(rows: Part, settings: ModelSettings) -> np.ndarray:
    return label_array(rows[settings.target.name], settings.target.task)
