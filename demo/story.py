"""What a replay found: plain values, from which the pages are made."""

from datetime import datetime

from pydantic import AwareDatetime, Field

from mlops_assets.blocks.base import Record
from mlops_assets.records.monitoring import DriftSummary
from mlops_assets.records.retraining import Recorded


class Quality(Record):
    """How one version predicted the rows of one month."""

    metrics: dict[str, float] = Field(description="On the labelled rows; empty without any.")
    drift: DriftSummary = Field(description="Against the version's own reference profile.")


class Month(Record):
    """What was decided when a month began, and what was answered in it."""

    now: AwareDatetime
    decision: Recorded | None = Field(description="None: the first version, trained by hand.")
    version: int = Field(description="That answers from now on.")
    acknowledged: int = Field(0, description="Predictions that the endpoint answered.")
    labelled: int = 0
    live: Quality | None = Field(None, description="None: nothing was asked.")
    first: Quality | None = Field(None, description="The first version, on the same rows.")

    @property
    def trained(self) -> bool:
        """Whether a training was decided."""
        return self.decision is not None and self.decision.action == "train"


class Story(Record):
    """One model's replay."""

    model: str
    description: str
    months: tuple[Month, ...]
    logged: int = Field(description="Rows of the prediction log that clients were answered.")
    threshold: float = Field(description="Of `monitoring.drift`.")
    ignored: tuple[str, ...] = Field((), description="Columns that raise no alarm.")
    changes: str = Field(description="What the replay changed in the YAML, as YAML.")
    backtest: str = Field(description="What a backtest of the source's last rows says.")
    cpu_seconds: float = Field(description="Of the process that replayed, without the endpoint.")

    @property
    def acknowledged(self) -> int:
        """Predictions that the endpoint answered."""
        return sum(month.acknowledged for month in self.months)

    @property
    def promotions(self) -> list[datetime]:
        """When another version than in the month before answers."""
        pairs = zip(self.months, self.months[1:], strict=False)
        return [month.now for before, month in pairs if month.version != before.version]
