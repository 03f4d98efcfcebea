"""The blocks of one model's YAML, and what follows from them; how they must fit is `config`."""

import hashlib
from datetime import timedelta
from typing import Literal

from pydantic import Field

from mlops_assets.blocks.base import ColumnName, Name, Settings
from mlops_assets.blocks.card import CardSettings
from mlops_assets.blocks.cluster import ComputeSettings
from mlops_assets.blocks.data import (
    DELIVERED,
    ROW,
    ContractSettings,
    EntitySettings,
    ProcessingSettings,
    SourceSettings,
)
from mlops_assets.blocks.evaluation import EvaluationSettings
from mlops_assets.blocks.features import FeatureSettings, TargetSettings
from mlops_assets.blocks.monitoring import MonitoringSettings
from mlops_assets.blocks.operation import DeploymentSettings, ScheduleSettings
from mlops_assets.blocks.sources.partitions import PartitionSettings
from mlops_assets.blocks.training import SplitSettings, TrainingSettings


class ModelAttributes(Settings):
    """One model's pipeline, from its source to its endpoint."""

    name: Name
    description: str = ""
    owners: tuple[str, ...] = Field((), description="E-mail addresses, or `team:NAME`.")
    card: CardSettings = CardSettings()
    source: SourceSettings
    entity: EntitySettings | None = Field(
        None, description="Without one, the model is served by features alone."
    )
    timestamp: ColumnName | None = Field(
        None,
        description="A datetime column: when a row is of. Without one, rows are as of their "
        "delivery, and the split is at random.",
    )
    partitions: PartitionSettings | None = Field(
        None, description="Without them, each run reads and checks all rows."
    )
    contract: ContractSettings
    processing: ProcessingSettings = ProcessingSettings()
    features: FeatureSettings
    target: TargetSettings
    training: TrainingSettings
    evaluation: EvaluationSettings
    deployment: DeploymentSettings
    monitoring: MonitoringSettings = MonitoringSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    compute: dict[str, ComputeSettings] = Field(
        {}, description="Asset, e.g. `trained_model` -> its pod, where each step is a pod."
    )

    @property
    def key(self) -> EntitySettings:
        """What a row is known by within the graph: its entity, else its number."""
        return self.entity or ROW

    @property
    def timestamp_column(self) -> str:
        """The column of processed rows that says when a row is of."""
        return self.timestamp or DELIVERED

    @property
    def split(self) -> SplitSettings:
        """Which rows are held out."""
        return self.training.split or SplitSettings(by="random", fraction=0.2)

    @property
    def feature_dtypes(self) -> dict[str, Literal["float64", "string"]]:
        """Feature -> what the model is fed: texts stay texts, every number is a float64."""
        if self.features.shape == "event_log":
            return dict.fromkeys(self.features.names, "float64")
        texts = {n for n, column in self.contract.columns.items() if column.dtype == "string"}
        texts -= self.features.dates.keys()
        return {n: "string" if n in texts else "float64" for n in self.features.names}

    @property
    def label_delay(self) -> timedelta:
        """How long after its moment a label can be known at the latest."""
        return self.target.window or self.monitoring.labels.maturity

    @property
    def watched_span(self) -> timedelta:
        """How far back outcomes are looked at: a window is final when its last label has come."""
        watched = self.monitoring
        return watched.window * watched.performance.windows + self.label_delay

    @property
    def titles(self) -> dict[str, str]:
        """Entity, and features that are columns -> what the source calls them, if otherwise."""
        entity = [self.entity.name] if self.entity else []
        shown = (*entity, *self.features.columns)
        sources = self.contract.source_names
        taken = {*entity, *self.features.names}  # a title that is another's name misleads
        first = {sources[name]: name for name in reversed(shown)}
        return {name: of for of, name in reversed(first.items()) if of not in taken}

    @property
    def kept_columns(self) -> list[str]:
        """The contract's columns that processing does not drop."""
        return [name for name in self.contract.columns if name not in self.processing.drop_columns]

    @property
    def target_column(self) -> str | None:
        """The source column behind the target; None for a count of events."""
        if self.target.agg is None:
            return self.target.column or self.target.name
        return self.target.column

    @property
    def processed_by(self) -> str:
        """Short hash of what makes processed rows of raw ones; what stops a run makes none."""
        blocks = self.model_dump_json(
            include={"source", "entity", "timestamp", "contract", "processing"},
            exclude={
                "source": {"uri", "loader", "watch"},
                "contract": ContractSettings.STOPS,
                "processing": {"categorical_encoding"},  # of the model's own pipeline
            },
        )
        since = f" since {self.partitions.start}" if self.partitions else ""
        return hashlib.sha256(f"{blocks}{since}".encode()).hexdigest()[:12]

    @property
    def computed_by(self) -> str:
        """Short hash of what makes features and targets of raw rows."""
        features = self.features.model_dump_json(exclude={"ttl", "clock"})  # of serving
        made = f"{self.processed_by}{features}{self.target.model_dump_json()}{self.training.weight}"
        return hashlib.sha256(made.encode()).hexdigest()[:12]
