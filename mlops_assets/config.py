"""The YAML schema of one model: its blocks, and how they must fit together. Nothing of Dagster.

What can be checked without reading data is checked here, so that a typo fails when the code
location loads, not an hour into a run.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from mlops_assets.blocks.base import NUMBERS, Name, Settings, require_known
from mlops_assets.blocks.card import CardSettings
from mlops_assets.blocks.cluster import ComputeSettings
from mlops_assets.blocks.data import (
    ContractSettings,
    EntitySettings,
    ProcessingSettings,
    SourceSettings,
)
from mlops_assets.blocks.evaluation import METRICS, EvaluationSettings
from mlops_assets.blocks.features import FeatureSettings, TargetSettings
from mlops_assets.blocks.monitoring import MonitoringSettings
from mlops_assets.blocks.operation import DeploymentSettings, ScheduleSettings
from mlops_assets.blocks.training import TrainingSettings


class ModelSettings(Settings):
    """One model's pipeline, from its source to its endpoint."""

    name: Name
    description: str = ""
    owners: tuple[str, ...] = Field((), description="E-mail addresses, or `team:NAME`.")
    card: CardSettings = CardSettings()
    source: SourceSettings
    entity: EntitySettings
    timestamp: str
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
    def feature_dtypes(self) -> dict[str, Literal["float64", "string"]]:
        """Feature -> what the model is fed: texts stay texts, every number is a float64."""
        if self.features.shape == "event_log":
            return dict.fromkeys(self.features.names, "float64")
        texts = {n for n, column in self.contract.columns.items() if column.dtype == "string"}
        return {n: "string" if n in texts else "float64" for n in self.features.names}

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        columns = self.contract.columns
        dropped = self.processing.drop_columns
        require_known(dropped, columns, "processing.drop_columns")
        kept = [name for name in columns if name not in dropped]
        require_known([self.entity.name], kept, "entity.name")
        require_known([self.timestamp], kept, "timestamp")
        require_known(self.processing.fill_na, kept, "processing.fill_na")
        require_known(self.features.columns, kept, "features.columns")
        for name, aggregate in self.features.aggregates.items():
            if aggregate.column:
                require_known([aggregate.column], kept, f"features.aggregates.{name}.column")
        if columns[self.entity.name].dtype != self.entity.dtype:
            raise ValueError(f"entity.dtype differs from the contract of {self.entity.name!r}")
        if columns[self.timestamp].dtype != "datetime":
            raise ValueError(f"the timestamp {self.timestamp!r} must be a datetime")
        return self

    @model_validator(mode="after")
    def _target_fits_the_shape(self) -> Self:
        over_events = self.target.agg is not None
        if over_events != (self.features.shape == "event_log"):
            raise ValueError(
                "over an event log the target needs `agg` and `window`; over a flat table it is a "
                "column and takes neither"
            )
        dropped = self.processing.drop_columns
        kept = [name for name in self.contract.columns if name not in dropped]
        column = self.target_column
        if column is not None:
            require_known([column], kept, "target.column")
            if column in self.features.columns:
                raise ValueError(f"the target's column {column!r} is also a feature: a leak")
        return self

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        reserved = ("event_timestamp", "prediction")
        names = [self.entity.name, *reserved, self.target.name, *self.features.names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"entity, target and features share the names {twice}, with each other or with "
                f"{reserved}; rename them"
            )
        return self

    @model_validator(mode="after")
    def _aggregates_fit_their_columns(self) -> Self:
        used = [(a.agg, a.column) for a in self.features.aggregates.values()]
        for agg, column in [*used, (self.target.agg, self.target.column)]:
            needs_number = agg in ("sum", "mean", "min", "max", "std")
            if needs_number and self.contract.columns[str(column)].dtype not in NUMBERS:
                raise ValueError(f"{agg} of {column!r}: the column is no number")
        return self

    @model_validator(mode="after")
    def _features_can_be_encoded(self) -> Self:
        encoded = self.processing.categorical_encoding
        require_known(encoded, self.features.names, "processing.categorical_encoding")
        texts = [name for name, dtype in self.feature_dtypes.items() if dtype == "string"]
        if plain := [name for name in texts if name not in encoded]:
            raise ValueError(f"text features {plain} need processing.categorical_encoding")
        times = [n for n in self.features.columns if self.contract.columns[n].dtype == "datetime"]
        if times:
            raise ValueError(f"datetime columns {times} cannot be features; derive numbers of them")
        return self

    @model_validator(mode="after")
    def _metrics_exist(self) -> Self:
        known = METRICS[self.target.task]
        asked = (self.evaluation.primary, *self.evaluation.gate.limits)
        require_known(asked, known, f"evaluation of a {self.target.task} model")
        require_known(self.evaluation.slices, self.features.names, "evaluation.slices")
        watched = (*self.features.names, "prediction")
        require_known(self.monitoring.drift.ignore, watched, "monitoring.drift.ignore")
        numbers = [name for name, dtype in self.feature_dtypes.items() if dtype != "string"]
        require_known(self.monitoring.drift.ageing, numbers, "monitoring.drift.ageing")
        return self

    @model_validator(mode="after")
    def _name_fits_the_cluster(self) -> Self:
        # KServe appends `-predictor` for a Service, whose name has at most 63 characters.
        fits = len(self.name) <= 50 and not self.name.endswith("_")
        if self.deployment.target != "local" and not fits:
            raise ValueError(
                f"{self.name!r} names no Service of a cluster: at most 50 characters, and a letter "
                "or digit at the end"
            )
        return self

    @property
    def target_column(self) -> str | None:
        """The source column behind the target; None for a count of events."""
        if self.target.agg is None:
            return self.target.column or self.target.name
        return self.target.column
