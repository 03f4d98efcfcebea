"""What one stage hands to the next besides frames: small frozen records, stored as JSON."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, Field

from mlops_assets.blocks import (
    Duration,
    EntitySettings,
    Settings,
    Task,
)
from mlops_assets.config import ModelSettings


class DatasetVersion(Settings):
    """One version of a model's raw data in the data repository."""

    md5: str = Field(description="DVC's md5; ends in `.dir` for several files.")
    files: tuple[str, ...] = Field(description="File names, sorted.")
    size_bytes: int
    pointer: str = Field(description="Path of the `.dvc` file that names this version.")


class FeatureView(Settings):
    """One model's features as the feature store knows them."""

    name: str
    entity: EntitySettings
    features: dict[str, Literal["float64", "string"]]
    ttl: Duration

    @classmethod
    def of(cls, settings: ModelSettings) -> Self:
        """The view of a model: its name is the model's."""
        return cls(
            name=settings.name,
            entity=settings.entity,
            features=settings.feature_dtypes,
            ttl=settings.features.ttl,
        )


class ModelVersion(Settings):
    """One registered version of a model."""

    name: str
    version: int
    run_id: str
    uri: str = Field(description="E.g. `models:/customers/3`.")


class LossDifference(Settings):
    """Loss of a challenger less that of the champion on the same rows; positive is worse."""

    rows: int
    clusters: int = Field(description="Independent groups of rows, e.g. entities.")
    champion_loss: float = Field(description="Mean over the rows.")
    challenger_loss: float
    standard_error: float | None = Field(description="Of the difference; None: one cluster only.")
    lower: float | None = Field(
        description="Of the two-sided interval at 1 - 2 alpha, as a fraction of the champion's "
        "loss; None: the rows do not bound it."
    )
    upper: float | None
    p_value: float

    @property
    def difference(self) -> float:
        """In units of the loss."""
        return self.challenger_loss - self.champion_loss

    @property
    def relative(self) -> float:
        """As a fraction of the champion's loss; infinite if that is 0 and the challenger's not."""
        if self.champion_loss == 0:
            return 0.0 if self.difference == 0 else float("inf")
        return self.difference / self.champion_loss


class SliceComparison(Settings):
    """The comparison on some of the rows."""

    name: str = Field(description="E.g. `origin=JFK`.")
    loss: LossDifference
    adjusted_p_value: float = Field(description="Holm's, over all slices.")
    worse: bool = Field(description="Shown to lose more than `evaluation.slice_margin`.")


class Comparison(Settings):
    """A challenger beside the champion on the same held-out rows."""

    loss_name: str
    overall: LossDifference
    passed: bool = Field(description="By `evaluation.gate.against_champion`, slices apart.")
    slices: tuple[SliceComparison, ...] = ()


class Decision(Settings):
    """Whether a version may be deployed."""

    promoted: bool
    reasons: tuple[str, ...] = Field((), description="One sentence per broken rule.")


class Evaluation(Settings):
    """Metrics of one model version on the held-out rows, and what the gate made of them."""

    model: ModelVersion
    metrics: dict[str, float]
    train_rows: int
    test_rows: int
    champion: ModelVersion | None = Field(None, description="At the time of the evaluation.")
    comparison: Comparison | None = None
    not_compared: str = Field("", description="Why there is no comparison.")
    decision: Decision = Field(
        # What an earlier release stored has none, and must not be deployed for it.
        Decision(promoted=False, reasons=("the evaluation holds no decision; evaluate again",))
    )


class Servable(Settings):
    """`servable.json`: all that a worker needs to serve one version; never changes once written."""

    model_name: str
    model_version: int
    task: Task
    classes: tuple[str, ...] = Field((), description="Of a multiclass model, in column order.")
    entity: EntitySettings
    features: dict[str, Literal["float64", "string"]] = Field(description="In column order.")
    sha256: str = Field(description="Of `model.skops` beside it.")


class RecordedRequest(Settings):
    """Features of one held-out row and what the model said offline."""

    features: dict[str, float | str | None]
    scores: tuple[float, ...] = Field(
        description="Binary: probability of the positive class; multiclass: one probability per "
        "class; regression: the value."
    )


class OnlineFeatures(Settings):
    """How a worker reads features by entity id."""

    store: dict[str, Any] = Field(description="Feast RepoConfig as JSON.")
    view: FeatureView
    as_of: datetime | None = Field(
        description="What a value's age is measured against; None: the time of the request."
    )


class Manifest(Settings):
    """`deployment.json`: the state that an endpoint's workers must reach."""

    generation: int = Field(ge=1)
    model_name: str
    model_version: int
    folder: str = Field(description="Holds servable.json and model.skops of that version.")
    previous: str | None = Field(description="Folder of the last good version before this one.")
    online: OnlineFeatures
    max_rows: int
    max_body_bytes: int


class Endpoint(Settings):
    """A live endpoint."""

    url: str
    model_name: str
    model_version: int
    generation: int
    workers: int
    entity: EntitySettings


class Move(Settings):
    """An intended move of a model's alias to another version."""

    model: str = Field(min_length=1)
    alias: Literal["champion"] = "champion"
    to_version: int = Field(ge=1)
    who: str = Field(min_length=1, description="A user, or the id of a Dagster run.")
    why: str = Field(
        pattern="^(gate|rollback(: .+)?|manual: .+)$",
        description="`gate`, `rollback`, `rollback: TEXT` or `manual: TEXT`.",
    )
    evaluation: dict[str, Any] | None = Field(
        None, description="The evaluation as JSON: rows outlive changes of its record."
    )
    data_version: str | None = Field(None, description="DVC md5 of the raw data trained on.")
    git_sha: str | None = None

    @property
    def is_rollback(self) -> bool:
        """Whether it gives up the version it leaves."""
        return self.why.startswith("rollback")


class Promotion(Move):
    """A move as the ledger holds it."""

    sequence: int = Field(ge=1, description="Of the model; without gaps.")
    time: AwareDatetime
    from_version: int | None = Field(description="None for a model's first champion.")
