"""From the YAML's dotted path and parameters to an unfitted estimator, or why there is none.

Estimators inside the parameters are built first, each by the same rules. Where a library would talk
to the terminal, write files, or give other numbers each time, it is told not to, unless the YAML
says otherwise.
"""

import difflib
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops_assets.blocks.base import Task, did_you_mean
from mlops_assets.blocks.training import NestedEstimator, Parameter
from mlops_assets.config import ModelSettings
from mlops_assets.dotted import import_object
from mlops_assets.errors import DottedPathError, ParameterError, TrainingError
from mlops_assets.ml.inference.trusted_types import BOOSTERS
from mlops_assets.ml.training.early_stopping import require_stoppable
from mlops_assets.ml.training.fitting_task import require_task
from mlops_assets.ml.training.many_rows.from_file import require_readable
from mlops_assets.ml.training.weights import require_weighable

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    # Repeatable: by itself LightGBM times which way of summing is the faster one here.
    "lightgbm": {"verbose": -1, "deterministic": True, "force_row_wise": True},
    # Its log would be written into the working directory.
    "catboost": {"verbose": False, "allow_writing_files": False},
}
_RIVALS: Mapping[str, set[str]] = {
    "verbose": {"verbosity", "silent", "logging_level", "verbose_eval"},
    "force_row_wise": {"force_col_wise"},
}
"""Parameters that say the same, or cannot be given beside it."""


def build_estimator(settings: ModelSettings) -> Any:
    """The unfitted estimator of `training`, which fits the task.

    Raises:
        DottedPathError: It, or one inside its parameters, cannot be imported.
        TrainingError: It is no estimator, knows not all the parameters, or does not fit the task.
    """
    training = settings.training
    searched = training.tune.params if training.tune else ()
    build = _Builder(settings.target.task, training.seed)
    estimator = build.made(training.estimator, training.params, "training", searched)
    if not hasattr(estimator, "fit"):
        raise TrainingError(f"{training.estimator} has no method fit; name an estimator's class")
    require_task(estimator, training.estimator, settings.target.task)
    require_weighable(estimator, settings)
    require_stoppable(estimator, settings)
    require_readable(estimator, settings)
    return estimator


@dataclass(frozen=True)
class _Builder:
    """What every estimator of one model is built with."""

    task: Task
    seed: int

    def made(
        self, path: str, params: Mapping[str, Parameter], at: str, searched: Iterable[str] = ()
    ) -> Any:
        """The object of a dotted path; `at` is the block that names it."""
        build = _imported(path)
        if not callable(build):
            raise TrainingError(f"{path} is no class; name an estimator's class")
        _check_names(build, path, {*params, *searched}, at)
        given = {n: self._value(v, f"{at}.params.{n}") for n, v in params.items()}
        try:
            made = build(**_defaults(path, params), **given)
        except (TypeError, ValueError) as err:
            where = "" if at == "training" else _below(at)
            raise ParameterError(f"{path}: {err}; correct {at}.params", where) from err
        _check_values(made, path, at)
        _check_parts(made, path, at)
        if "random_state" not in params and _wants_seed(made):
            made.set_params(random_state=self.seed)
        return self._numbered(made)

    def _value(self, value: Parameter, at: str) -> Any:
        if isinstance(value, NestedEstimator):
            try:
                return self.made(value.estimator, value.params, at)
            except DottedPathError as err:
                raise ParameterError(str(err), f"{_below(at)}.estimator") from err
        if isinstance(value, list):
            built = [self._value(each, f"{at}.{number}") for number, each in enumerate(value)]
            # scikit-learn documents names and steps as pairs, and copies them as such.
            return tuple(built) if _is_pair(value) else built
        return value

    def _numbered(self, made: Any) -> Any:
        """The same; XGBoost, which takes no classes but 0, 1, 2, within one that numbers them."""
        if self.task != "multiclass" or not type(made).__module__.startswith("xgboost."):
            return made
        from sklearn.base import is_classifier
        from sklearn.ensemble import VotingClassifier

        return VotingClassifier([("model", made)], voting="soft") if is_classifier(made) else made


def _imported(path: str) -> Any:
    package = path.partition(".")[0]
    try:
        return import_object(path)
    except DottedPathError as err:
        if package not in BOOSTERS or getattr(err.__cause__, "name", None) != package:
            raise
        said = f"{path} needs {package}, which is not installed"
        raise DottedPathError(f"{said}; pip install 'mlops-assets[{package}]'") from err


def _defaults(path: str, given: Mapping[str, object]) -> dict[str, Any]:
    library = _DEFAULTS.get(path.partition(".")[0], {})
    return {
        name: value
        for name, value in library.items()
        if name not in given and not _RIVALS.get(name, set()) & given.keys()
    }


def _is_pair(value: list[Parameter]) -> bool:
    return len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], NestedEstimator)


def _below(at: str) -> str:
    """The place below `training.params`."""
    return at.removeprefix("training.params.")


def _check_names(build: Any, path: str, given: set[str], at: str) -> None:
    """Name an unknown parameter, and the known ones."""
    try:
        signature = inspect.signature(build).parameters
    except ValueError:  # written in C without saying; the call itself will check
        return
    known, unknown = sorted(signature), sorted(given - set(signature))
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.values()):
        known = sorted(build().get_params()) if path.partition(".")[0] in BOOSTERS else []
        unknown = _misspelled(unknown, known)
    if not unknown:
        return
    place = unknown[0] if at == "training" else f"{_below(at)}.params.{unknown[0]}"
    raise ParameterError(
        f"{path} has no parameters {unknown}; {at}.params may be "
        f"{known}{did_you_mean(unknown, known)}",
        place,
    )


def _misspelled(names: Iterable[str], known: Sequence[str]) -> list[str]:
    """Those that are nearly a known one, and not it.

    XGBoost and LightGBM take any name, since each has several for one thing, and pass over what
    they do not know.
    """
    return [
        name
        for name in names
        if name not in known and difflib.get_close_matches(name, known, n=1, cutoff=0.85)
    ]


def _check_values(made: Any, path: str, at: str) -> None:
    """Refuse a value before any data is read, where the estimator can: all of scikit-learn's."""
    validate = getattr(made, "_validate_params", None)
    if validate is None or not hasattr(made, "_parameter_constraints"):
        return  # a class of the user's own inherits the first and need not have the second
    try:
        validate()
    except ValueError as err:
        found = re.search(r"The '(\w+)' parameter", str(err))
        name = found[1] if found else ""
        place = name if at == "training" else f"{_below(at)}.params.{name}"
        said = str(err).replace(" instead.", " instead")
        raise ParameterError(f"{path}: {said}; correct it", place) from err


_PARTS = {
    "_validate_estimators": "estimators",
    "_validate_steps": "steps",
    "_validate_transformers": "transformers",
}
"""What scikit-learn's compositions check when they are fitted -> the parameter that it is of."""


def _check_parts(made: Any, path: str, at: str) -> None:
    """Refuse the parts of a composition that have one name, or cannot take their place."""
    for check, name in _PARTS.items():
        if not type(made).__module__.startswith("sklearn.") or not hasattr(made, check):
            continue
        place = name if at == "training" else f"{_below(at)}.params.{name}"
        if texts := _texts_in(getattr(made, name)):
            said = f"{path}: {texts[0]!r} is a text; write {{estimator: {texts[0]}}}"
            raise ParameterError(said, place)
        try:
            getattr(made, check)()
        except (AttributeError, TypeError, ValueError) as err:
            said = f"{path}: {str(err).rstrip('.')}; correct {at}.params.{name}"
            raise ParameterError(said, place) from err
    parts, weights = getattr(made, "estimators", ()), getattr(made, "weights", None)
    if isinstance(weights, list) and len(weights) != len(parts):
        place = "weights" if at == "training" else f"{_below(at)}.params.weights"
        said = f"{len(weights)} weights for {len(parts)} estimators; give one for each"
        raise ParameterError(f"{path}: {said}", place)


def _texts_in(parts: Any) -> list[str]:
    """Those that stand for an estimator and name none."""
    parts = [part[1] for part in parts if isinstance(part, tuple | list) and len(part) > 1]
    return [one for one in parts if isinstance(one, str) and one not in ("drop", "passthrough")]


def _wants_seed(made: Any) -> bool:
    return hasattr(made, "get_params") and "random_state" in made.get_params(deep=False)
