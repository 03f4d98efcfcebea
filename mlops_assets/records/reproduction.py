"""What a training run leaves behind so that it can be repeated, and what a repetition found."""

from typing import Any, Literal

from pydantic import Field

from mlops_assets.blocks.base import Record
from mlops_assets.records.data import DatasetVersion

TreeState = Literal["clean", "patched", "changed", "no git"]
"""Of the code: as committed; with changes kept as a patch; with changes too large to keep."""


class SourceState(Record):
    """The code that ran: a commit and what was not committed."""

    sha: str | None = Field(description="Of the commit; None without git.")
    state: TreeState
    patch: str = Field("", description="For `git apply`; empty unless the state is `patched`.")


class Stratum(Record):
    """Training rows of one class, or all of them, and how many of them were drawn."""

    name: str = Field(description="Of the class; empty: all rows.")
    rows: int
    drawn: int

    weight: float = Field(description="Of each drawn row: the inverse of its chance.")

    @property
    def said(self) -> str:
        """In a few words, for a person."""
        what = f" of class {self.name}" if self.name else " rows"
        if self.drawn == self.rows:
            return f"all {self.rows:,}{what}"
        return f"{self.drawn:,} of {self.rows:,}{what}, each for {self.weight:.4g}"


class SampledRows(Record):
    """Which part of the training rows was fitted."""

    strata: tuple[Stratum, ...]

    @property
    def drawn(self) -> int:
        """How many rows were fitted."""
        return sum(stratum.drawn for stratum in self.strata)

    @property
    def said(self) -> str:
        """In a line, for a person."""
        return "; ".join(stratum.said for stratum in self.strata)


class CandidateLoss(Record):
    """One estimator that was compared with others."""

    name: str
    estimator: str
    loss: float | None = Field(description="Mean over the folds; None: it could not be fitted.")
    excess: float | None = Field(description="Over the loss of the best.")
    standard_error: float | None = Field(description="Of the excess, from fold to fold.")
    failed: str = Field("", description="Why it could not be fitted.")


class EstimatorChoice(Record):
    """Which estimator `auto` took, and the evidence; the candidates with the simplest first."""

    loss_name: str
    folds: int
    taken: str
    candidates: tuple[CandidateLoss, ...]


class TrainingRecord(Record):
    """What a version was made of; the file `reproduction.json` of its MLflow run."""

    raw: DatasetVersion
    checked_at: str = Field(description="ISO moment that the contract took for now.")
    code: SourceState
    lock_sha256: str | None = Field(description="Of requirements.lock; None if there is none.")
    python: str
    seed: int
    params: dict[str, Any] = Field(description="Of the estimator, with what the tuning chose.")
    settings: dict[str, Any] = Field(description="The resolved YAML.")
    choice: EstimatorChoice | None = Field(None, description="Of `training.estimator: auto`.")
    engine: str = Field("arrays", description="What made the features, as `MLOPS_ENGINE` names it.")
    prediction_sha256: str = Field(description="Of the held-out rows' scores.")


class Difference(Record):
    """One thing that was not as recorded."""

    what: Literal[
        "code",
        "lock file",
        "python",
        "configuration",
        "seed",
        "tuning",
        "engine",
        "data",
        "predictions",
    ]
    detail: str
