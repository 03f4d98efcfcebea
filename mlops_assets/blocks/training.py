"""Estimator, preparation and split."""

from typing import Literal, Self

from pydantic import Field, model_validator

from mlops_assets.blocks.base import CalendarStep, DottedPath, Scalar, Settings


class SplitSettings(Settings):
    """Which rows are held out for the evaluation."""

    by: Literal["time", "random"] = "time"
    test: CalendarStep | None = Field(None, description="With by time: the last so many units.")
    fraction: float | None = Field(None, gt=0, lt=1, description="With by random.")

    @model_validator(mode="after")
    def _amount_fits(self) -> Self:
        if (self.by == "time") != (self.test is not None):
            raise ValueError("split by time needs `test`, e.g. `3 months`; by random it takes none")
        if (self.by == "random") != (self.fraction is not None):
            raise ValueError("split by random needs `fraction`, e.g. 0.2; by time it takes none")
        return self


class TrainingSettings(Settings):
    """Estimator, preparation and split."""

    estimator: DottedPath = "sklearn.ensemble.HistGradientBoostingClassifier"
    params: dict[str, Scalar | list[Scalar] | None] = Field(default_factory=dict)
    scale: bool = Field(False, description="Standardise numeric features.")
    impute: Literal["none", "median", "mean", "zero"] = "none"
    split: SplitSettings
    seed: int = Field(0, ge=0, lt=2**32)
