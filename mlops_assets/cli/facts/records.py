"""What the command line prints as JSON, where no record of the product's says it already.

A key keeps its name and meaning; docs/reference/cli.md is made of the descriptions here.
"""

from typing import Any, Literal

from pydantic import Field

from mlops_assets.blocks.base import Moment, Record
from mlops_assets.records.data import RejectedRows
from mlops_assets.records.evaluation import ModelCard
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary
from mlops_assets.records.promotion import Promotion
from mlops_assets.records.reproduction import Difference
from mlops_assets.records.retraining import Pause, Recorded


class LastRun(Record):
    """The newest run of a model's jobs."""

    run_id: str = Field(description="Of Dagster.")
    job: str
    status: str = Field(
        description="As Dagster says it, e.g. `SUCCESS`; `KILLED`: its process is gone."
    )
    started_at: Moment | None = None
    seconds: float | None = Field(None, description="That it took; null while it goes on.")


class Reproduced(Record):
    """What training a version again came to."""

    version: str = Field(description="`MODEL@VERSION`.")
    equal: bool = Field(
        description="Whether the predictions are: bit by bit, or within 1e-9 where the "
        "engine of the features is not `arrays`."
    )
    prediction_sha256: str = Field(description="That was recorded.")
    differences: list[Difference] = Field(description="What was not as recorded.")


class ListedModel(Record):
    """One model at a glance."""

    model: str
    description: str = ""
    live_version: int | None = Field(description="That its endpoint serves; null: none answers.")
    endpoint: str | None = Field(description="Its address.")
    champion: int | None = Field(description="The version of the ledger; null before the first.")
    champion_since: Moment | None = None
    evaluated_version: int | None = Field(None, description="The newest that was evaluated.")
    passed: bool | None = Field(None, description="Whether the gate let that one pass.")
    reasons: str = Field("", description="Of its refusal, a sentence for each broken rule.")
    last_run: LastRun | None = None


class ServedModel(Record):
    """What one endpoint serves."""

    model: str
    version: int | None = Field(description="Null: none answers.")
    endpoint: str | None = Field(description="Its address.")
    good: bool = Field(description="Whether it serves its champion, by a sound YAML.")
    said: str = Field(description="The same for a person.")
    rejected: RejectedRows | None = Field(
        None, description="By `run` alone; null: every row keeps the contract."
    )


class StoppedEndpoint(Record):
    """One endpoint that was ended."""

    model: str
    answered: bool = Field(description="Whether it did before; false: what was left is ended.")


class BroughtUp(Record):
    """What bringing one endpoint back came to."""

    model: str
    version: int | None = Field(None, description="That it serves; null: it does not answer.")
    endpoint: str | None = Field(None, description="Its address.")
    error: str = Field("", description="Why it does not answer; empty: it does.")

    @property
    def said(self) -> str:
        """The same for a person."""
        return f"{self.model}: {self.error or f'version {self.version} at {self.endpoint}'}"


class Answered(Record):
    """What an endpoint answered for one entity."""

    model: str
    version: int
    entity: Any = Field(description="Its id.")
    answer: dict[str, Any] = Field(description="As `POST /predict` has it.")
    error: str = Field("", description="Why it was refused; empty: it was not.")


class WatchedModel(Record):
    """What the newest monitoring of one model found."""

    model: str
    calm: bool = Field(description="No drift, no broken column, no degraded performance.")
    drift: DriftSummary | None = Field(description="Of the newest window; null: none was asked.")
    measured: PerformanceSummary | None = Field(
        description="Of the newest window that has all its labels; null: none has."
    )
    estimated: PerformanceSummary | None = Field(description="Of the newest window.")


class CheckedModel(Record):
    """What `check` found of one model."""

    model: str
    faults: list[str] = Field(description="A line each, `FILE:LINE: what; remedy`; empty: sound.")
    notes: list[str] = Field(
        description="Likewise, of what a run would lack here, its source, or would do in vain."
    )


class Decisions(Record):
    """What the retrain policy decided."""

    model: str
    decisions: list[Recorded] = Field(description="The newest last.")
    pause: Pause | None = Field(description="That is in force.")


class ShownVersion(Record):
    """One version of a model."""

    model: str
    version: int
    champion: bool = Field(description="Whether it is now.")
    moves: list[Promotion] = Field(description="Of the ledger, to or from it, the oldest first.")
    card: ModelCard = Field(description="What is known of its data, training and evaluation.")
    quarantine: str | None = Field(
        None, description="The file of the rows that broke the contract; null: none is known."
    )


class ComparedValue(Record):
    """One figure or fact of two versions."""

    kind: Literal["metric", "slice", "feature", "parameter", "data"]
    name: str
    a: Any = Field(description="Null: it has none.")
    b: Any = Field(description="Null: it has none.")
    differs: bool


class ComparedVersions(Record):
    """Two versions beside each other."""

    a: str = Field(description="`MODEL@VERSION`.")
    b: str
    same_rows: bool = Field(description="Whether both were measured on the same held-out rows.")
    values: list[ComparedValue]


class Addresses(Record):
    """Where a model is looked at."""

    model: str
    dagster: str = Field(description="Its assets in the Dagster UI, which `mlops dev` serves.")
    mlflow: str = Field(description="Its versions in the MLflow UI.")
    endpoint: str | None = Field(description="Null: none answers.")


class Contribution(Record):
    """What one feature adds to an answer."""

    feature: str
    value: Any = Field(description="As the model was fed; null: missing.")
    contribution: float = Field(description="In units of `scale`.")


class Explanation(Record):
    """Why a version answered as it did."""

    model: str
    version: int
    asked: str = Field(description="The request's id, or the entity.")
    source: str = Field(description="Where the row was read.")
    prediction: float
    scale: str = Field(description="In which `expected` and the contributions add up.")
    expected: float = Field(description="The mean over the background rows.")
    background_rows: int
    method: str = Field(description="By which the contributions are computed, with its source.")
    encoded: dict[str, float] = Field(description="The row as the estimator gets it.")
    contributions: list[Contribution] = Field(description="The largest first.")


class Finding(Record):
    """What `doctor` found of one thing."""

    about: str = Field(description="Ports, permissions, versions, ...")
    good: bool
    said: str
    remedy: str = Field("", description="What to do; empty where all is good.")
