"""What is asked of a fitted estimator: scikit-learn's interface, without importing scikit-learn.

How one is built is in `training`, what it answers in `inference`; the ONNX export alone looks into
its private parts.
"""

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import pandas as pd  # not of the worker that ONNX Runtime serves

Features: TypeAlias = "pd.DataFrame | np.ndarray"


class Estimator(Protocol):
    """Predicts rows: scikit-learn's own, or one of your package with the same methods."""

    def predict(self, x: Features, /) -> np.ndarray:
        """One value or class for each row."""
        ...


class Classifier(Estimator, Protocol):
    """One that also says how sure it is."""

    classes_: np.ndarray

    def predict_proba(self, x: Features, /) -> np.ndarray:
        """Of shape (rows, classes), in the order of `classes_`."""
        ...


class Pipeline(Estimator, Protocol):
    """What `training.fit.build_pipeline` makes: named steps, the last one the estimator."""

    steps: list[tuple[str, Any]]

    def fit(self, x: Features, y: np.ndarray, /) -> Any:
        """Learn from rows and their targets."""
        ...

    def set_params(self, **params: Any) -> Any:
        """Change parameters, a step's as `step__name`."""
        ...

    def __getitem__(self, step: str | int | slice, /) -> Any:
        """The step of that name, or at that place; of a slice, a pipeline of those steps."""
        ...
