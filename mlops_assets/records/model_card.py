"""The facts of a model card."""

from datetime import datetime
from typing import Any

from pydantic import Field

from mlops_assets.blocks.base import Record
from mlops_assets.blocks.card import CardSettings
from mlops_assets.records.evaluation import Evaluation
from mlops_assets.records.reproduction import EstimatorChoice


class Period(Record):
    """First and last moment, both included."""

    first: datetime
    last: datetime


class ModelCard(Record):
    """One version: where it comes from, how good it is, what it is for."""

    evaluation: Evaluation
    description: str
    owners: tuple[str, ...]
    purpose: CardSettings
    data_version: str | None = Field(description="DVC md5 of the raw data trained on.")
    git_sha: str | None
    target: str
    estimator: str
    params: dict[str, Any]
    features: dict[str, str] = Field(description="Name -> how it is computed.")
    inference: str = Field("", description="By what it is served, and why.")
    choice: EstimatorChoice | None = Field(None, description="Of `training.estimator: auto`.")
    train_period: Period
    test_period: Period
