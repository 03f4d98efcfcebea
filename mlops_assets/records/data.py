"""A version of the raw data, and the features as the feature store knows them."""

from typing import Literal, Self

from pydantic import Field

from mlops_assets.blocks.base import Duration, Record
from mlops_assets.blocks.data import EntitySettings
from mlops_assets.config import ModelSettings


class DatasetVersion(Record):
    """One version of a model's raw data in the data repository."""

    md5: str = Field(description="DVC's md5; ends in `.dir` for several files.")
    files: tuple[str, ...] = Field(description="File names, sorted.")
    size_bytes: int
    pointer: str = Field(description="Path of the `.dvc` file that names this version.")


class FeatureView(Record):
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
