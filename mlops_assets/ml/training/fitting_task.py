"""Whether an estimator fits the target's task, said before anything is trained, with the remedy.

A classifier is scored by probabilities. Many that have none can be given some; how, differs.
"""

from typing import Any

from mlops_assets.blocks.base import Task
from mlops_assets.errors import TrainingError

_PARAMETER = {
    "VotingClassifier": "voting: soft",
    "SGDClassifier": "loss: log_loss",
}
"""Class of scikit-learn -> what in its parameters makes it estimate probabilities."""


def require_task(estimator: Any, path: str, task: Task) -> None:
    """Refuse an unfitted estimator that cannot answer a target of this task.

    Raises:
        TrainingError: It is a classifier and the target a number, or the other way round, or a
            classifier without `predict_proba`.
    """
    kind = _kind(estimator)
    if task == "regression":
        if kind == "classifier":
            raise TrainingError(
                f"{path} is a classifier and does not fit the regression target; choose a "
                "regressor, or correct target.task"
            )
        return
    if kind == "regressor":
        raise TrainingError(
            f"{path} is a regressor and does not fit the {task} target; choose a classifier with "
            "predict_proba, or correct target.task"
        )
    if not hasattr(estimator, "predict_proba") and not _stacks_by_default(estimator):
        raise TrainingError(f"{path} {_without_probabilities(estimator, path, task)}")


def _kind(estimator: Any) -> str:
    """What it says it is; of one that does not say, what its methods tell."""
    from sklearn.utils import get_tags

    try:
        said = get_tags(estimator).estimator_type
    except AttributeError:  # not built on scikit-learn's base
        said = None
    return said or ("classifier" if hasattr(estimator, "predict_proba") else "unknown")


def _without_probabilities(estimator: Any, path: str, task: Task) -> str:
    lacks = f"has no predict_proba, by which a {task} target is scored"
    if setting := _PARAMETER.get(type(estimator).__name__):
        return f"{lacks}; set `{setting}` in training.params"
    if type(estimator).__name__ == "Pipeline":
        return f"{lacks}; let its last step be a classifier with predict_proba"
    if _kind(estimator) == "classifier" and _takes_base(estimator):
        return f"{lacks}; let the estimator in its parameters be one with predict_proba"
    if _kind(estimator) == "classifier":
        return (
            f"{lacks}; calibrate it: estimator: sklearn.calibration.CalibratedClassifierCV with "
            f"params: {{estimator: {{estimator: {path}, params: {{...}}}}}}"
        )
    return f"{lacks}; choose a classifier with predict_proba"


def _stacks_by_default(estimator: Any) -> bool:
    """Whether it has probabilities once it is fitted: of the logistic regression on top."""
    unset = getattr(estimator, "final_estimator", "") is None
    return unset and type(estimator).__name__ == "StackingClassifier"


def _takes_base(estimator: Any) -> bool:
    params = estimator.get_params(deep=False)
    return any(hasattr(params.get(name), "fit") for name in ("estimator", "final_estimator"))
