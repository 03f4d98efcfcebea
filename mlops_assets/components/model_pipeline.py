"""One YAML file -> one model's asset graph."""

from collections.abc import Mapping
from typing import Self

import dagster as dg
from pydantic import BaseModel

from jobs.asset_jobs import build_asset_jobs, build_schedules
from jobs.promotion import build_promotion_jobs
from mlops_assets.asset_checks.gates import build_asset_checks
from mlops_assets.asset_checks.live import build_outcome_checks
from mlops_assets.assets.backtest import build_backtest_assets
from mlops_assets.assets.batches import build_batch_assets
from mlops_assets.assets.data import build_data_assets
from mlops_assets.assets.deployment import build_deployment_assets
from mlops_assets.assets.drift import build_drift_assets
from mlops_assets.assets.features import build_feature_assets
from mlops_assets.assets.model import build_model_assets
from mlops_assets.assets.outcomes import build_outcome_assets
from mlops_assets.components.defaults import ProjectSettings
from mlops_assets.components.scaffolding import ModelPipelineScaffolder
from mlops_assets.components.settings import carried
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ConfigError
from sensors.endpoint_health import build_endpoint_health_sensor
from sensors.retraining import build_retraining_sensor


@dg.scaffold_with(ModelPipelineScaffolder)
class ModelPipeline(dg.Component):
    """From raw data to a live endpoint, for one model."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The YAML schema."""
        return ProjectSettings

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Take the validated settings."""
        if not isinstance(attributes, ModelSettings):
            raise ConfigError(f"{context.path}: a ModelPipeline needs attributes, e.g. a name")
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assemble the model's assets, checks, jobs, schedules and sensor."""
        return build_model_defs(self.settings)


def build_model_defs(
    settings: ModelSettings, metadata: Mapping[str, dg.MetadataValue] | None = None
) -> dg.Definitions:
    """Everything Dagster needs to know of one model, but for the resources.

    Each of its assets has the metadata too.

    Raises:
        ConfigError: `compute` names an asset that the model has not.
    """
    assets = [
        *_data_assets(settings),
        *build_model_assets(settings),
        *build_deployment_assets(settings),
        *build_batch_assets(settings),
        *build_outcome_assets(settings),
        *build_drift_assets(settings),
        *build_backtest_assets(settings),
    ]
    known = {str(asset.key.path[-1]) for asset in assets}
    if unknown := sorted(set(settings.compute) - known):
        raise ConfigError(f"compute of {settings.name}: {unknown} not among {sorted(known)}")
    if metadata:
        assets = [
            asset.map_asset_specs(lambda spec: spec.merge_attributes(metadata=metadata))
            for asset in assets
        ]
    return dg.Definitions(
        assets=assets,
        asset_checks=[*build_asset_checks(settings), *build_outcome_checks(settings)],
        jobs=[*build_asset_jobs(settings), *build_promotion_jobs(settings)],
        schedules=build_schedules(settings),
        sensors=[build_retraining_sensor(settings), build_endpoint_health_sensor(settings)],
        metadata=carried(settings),
    )


def _data_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    if settings.partitions is None:
        return [*build_data_assets(settings), *build_feature_assets(settings)]
    from mlops_assets.assets.partitioned import build_partitioned_assets  # few models have them

    return build_partitioned_assets(settings)
