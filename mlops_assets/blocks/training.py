"""Estimator, preparation and split."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, PositiveFloat, Tag, model_validator
from typing_extensions import TypeAliasType

from mlops_assets.blocks.base import DottedPath, Duration, Scalar, Settings, Stretch

AUTO = "auto"
"""In place of an estimator: choose one."""

NESTED = "<estimator>"
"""Stands in the place of an error for which of a parameter's types it is, beside keys of YAML."""

# A parameter may well be infinite: LogisticRegression(C=inf) has no penalty.
_Number = Annotated[float, Field(allow_inf_nan=True)]


class NestedEstimator(Settings):
    """An object inside the parameters: an estimator, a transformer, a kernel."""

    estimator: DottedPath
    params: dict[str, "Parameter"] = Field(default_factory=dict)


def _tag(value: object) -> str:
    if isinstance(value, dict | NestedEstimator):
        return NESTED
    return "<list>" if isinstance(value, list | tuple) else "<value>"


_Value = Annotated[bool | int | _Number | str | None, Tag("<value>")]
_Nested = Annotated[NestedEstimator, Tag(NESTED)]
_List = TypeAliasType("_List", "list[Parameter]")
Parameter = TypeAliasType(
    "Parameter",
    Annotated[_Value | _Nested | Annotated[_List, Tag("<list>")], Discriminator(_tag)],
)
"""Of an estimator: a value, another estimator, or a list of them."""


class SplitSettings(Settings):
    """Which rows are held out for the evaluation."""

    by: Literal["time", "random"] = Field(
        "time",
        description="At random an entity is in one part with all its rows, and classes are as "
        "frequent in both.",
    )
    test: Stretch | None = Field(None, description="With by time: the last so many units.")
    fraction: float | None = Field(None, gt=0, lt=1, description="With by random.")

    @model_validator(mode="after")
    def _amount_fits(self) -> Self:
        if (self.by == "time") != (self.test is not None):
            raise ValueError("split by time needs `test`, e.g. `3 months`; by random it takes none")
        if (self.by == "random") != (self.fraction is not None):
            raise ValueError("split by random needs `fraction`, e.g. 0.2; by time it takes none")
        return self


class SearchSpace(Settings):
    """What one parameter may be."""

    type: Literal["float", "int", "choice"]
    low: float | None = Field(None, description="Of a float or an int, inclusive.")
    high: float | None = Field(None, description="Of a float or an int, inclusive.")
    log: bool = Field(False, description="Search orders of magnitude: low must be above 0.")
    choices: tuple[Scalar, ...] = Field((), description="Of a choice, at least two.")

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type == "choice":
            if len(self.choices) < 2 or self.low is not None or self.high is not None or self.log:
                raise ValueError("a choice needs two or more `choices`, and no low, high or log")
            return self
        if self.choices or self.low is None or self.high is None or not self.low < self.high:
            raise ValueError(f"a {self.type} needs `low` below `high`, and no choices")
        if self.log and self.low <= 0:
            raise ValueError(f"log needs low above 0, not {self.low:g}")
        if self.type == "int" and (self.low % 1 or self.high % 1):
            raise ValueError(f"an int needs whole numbers, not {self.low:g} and {self.high:g}")
        return self


class TuneSettings(Settings):
    """A search for parameters of the estimator, on folds of the training rows."""

    params: dict[str, SearchSpace] = Field(min_length=1)
    trials: int = Field(20, ge=1)
    timeout: Duration | None = Field(
        None,
        description="No trial starts after it. How many fit into it depends on the machine, so "
        "such a version need not reproduce.",
    )
    metric: Literal["primary", "loss"] = Field(
        "primary", description="`evaluation.primary`, or the log loss (of a regression the rmse)."
    )
    folds: int = Field(
        3,
        ge=1,
        description="With split by time, each later than what the trial is trained on; at random "
        "each judges by other entities.",
    )
    prune: bool = Field(
        True, description="End a trial that is worse than the median after a fold, from the sixth."
    )


class EarlyStopping(Settings):
    """When to stop adding rounds to a booster; its own number of them is the most it may have."""

    fraction: float = Field(
        0.15, gt=0, lt=1, description="Of the training rows, to judge by: by time the latest."
    )
    rounds: int = Field(20, ge=1, description="Without anything getting better.")


class SampleSettings(Settings):
    """At most how many training rows are fitted; what is held out is never sampled."""

    rows: int = Field(ge=2)
    stratify: bool = Field(
        False,
        description="Draw as many of each class, of a rare one all, and weight each row by the "
        "inverse of its chance, so that probabilities stay what they are. Without it each row has "
        "the same chance.",
    )


class TrainingSettings(Settings):
    """Estimator, preparation and split."""

    estimator: DottedPath | Literal["auto"] = Field(
        "sklearn.ensemble.HistGradientBoostingClassifier",
        description="`auto`: of the usual answer, a linear model and boosted trees the simplest "
        "that is not shown to be worse.",
    )
    params: dict[str, Parameter] = Field(
        default_factory=dict,
        description="Of the estimator; one inside another is written `{estimator: dotted.path, "
        "params: {...}}`, also in lists and in pairs `[name, {estimator: ...}]`.",
    )
    trusted_types: tuple[DottedPath, ...] = Field(
        (),
        description="Further types of your own that a stored model may hold: those that its "
        "classes keep, or that an earlier version was made of.",
    )
    scale: bool = Field(False, description="Standardise numeric features.")
    impute: Literal["none", "median", "mean", "zero"] = "none"
    split: SplitSettings | None = Field(
        None,
        description="Required with a `timestamp`; without one the default is `by: random`, "
        "`fraction: 0.2`.",
    )
    seed: int = Field(0, ge=0, lt=2**32)
    class_weight: Literal["balanced"] | dict[str, PositiveFloat] | None = Field(
        None,
        description="`balanced` lets each class count alike; or a weight for each class, whose "
        'name is put in quotes: `{"0": 1, "1": 5}`. Probabilities are shifted by it.',
    )
    weight: str | None = Field(
        None,
        description="A column of a flat table that says how much a row counts in the training.",
    )
    sample: SampleSettings | None = Field(
        None,
        exclude_if=lambda sample: sample is None,  # what was trained without it is not stale
        description="Off without it. Which rows are drawn follows from their keys and the seed.",
    )
    external_memory: bool = Field(
        False,
        exclude_if=lambda wanted: not wanted,  # as of `sample`
        description="Training and evaluation read rows from their file batch by batch. Fitted so "
        "are XGBoost's XGBClassifier and XGBRegressor; any other estimator needs a `sample`.",
    )
    spark_workers: int | None = Field(
        None,
        ge=1,
        exclude_if=lambda workers: workers is None,  # as of `sample`
        description="With `external_memory`: so many tasks of the Spark that MLOPS_ENGINE names "
        "grow the trees. One grows those of memory, to the last; more grow others.",
    )
    early_stopping: EarlyStopping | None = Field(
        None,
        description="Of XGBoost, LightGBM, CatBoost and HistGradientBoosting. All training rows "
        "are then fitted with the number of rounds that was best.",
    )
    tune: TuneSettings | None = Field(None, description="Off without it; needs the extra `tune`.")

    @model_validator(mode="after")
    def _fixed_or_searched(self) -> Self:
        own = [name for name in ("params", "tune", "early_stopping") if getattr(self, name)]
        if self.estimator == AUTO and own:
            raise ValueError(f"estimator: auto takes no training.{own[0]}; name an estimator")
        searched = self.tune.params if self.tune else {}
        if both := sorted(set(self.params) & set(searched)):
            raise ValueError(f"training.params and training.tune.params both give {both}")
        return self

    @model_validator(mode="after")
    def _in_memory_or_not(self) -> Self:
        if self.spark_workers and (self.sample or not self.external_memory):
            raise ValueError(
                "training.spark_workers needs training.external_memory: true, and no "
                "training.sample, which is fitted in memory; remove one of the two"
            )
        every = self.sample is None  # row is fitted
        wanted = {
            "estimator: auto": self.estimator == AUTO,
            "scale": self.scale and every,
            "impute": self.impute in ("median", "mean") and every,
            "early_stopping": self.early_stopping,
            "tune": self.tune,
        }
        if self.external_memory and (both := [name for name, asked in wanted.items() if asked]):
            raise ValueError(
                f"training.{both[0]} needs the rows in memory, and with training.external_memory "
                "they are not; remove one of the two"
            )
        return self

    @property
    def plain_params(self) -> dict[str, Any]:
        """The parameters as plain values, as they are written down."""
        return self.model_dump(include={"params"})["params"]

    @property
    def stratified(self) -> bool:
        """Whether training rows are drawn by class, and so have weights."""
        return self.sample is not None and self.sample.stratify

    @property
    def named_classes(self) -> tuple[str, ...]:
        """Dotted paths of the estimator and of all that its parameters name."""
        own = () if self.estimator == AUTO else (self.estimator,)
        return (*own, *_named([*self.params.values()]))


def _named(value: Parameter) -> Iterator[str]:
    if isinstance(value, NestedEstimator):
        yield value.estimator
        yield from _named([*value.params.values()])
    elif isinstance(value, list):
        for each in value:
            yield from _named(each)
