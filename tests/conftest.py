"""The fixtures of most tests: the model of `tests.support.loans` and its resources."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import dagster as dg
import hypothesis
import pytest

from mlops_assets.config import ModelSettings
from tests.support.loans import fake_resources, loans_yaml, write_loans

# No example has a deadline: how long one takes says how busy the machine is.
hypothesis.settings.register_profile("unhurried", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _no_exported_store() -> Generator[None]:
    """dagster-mlflow exports its store; a command that a later test starts must not use it."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before


@pytest.fixture
def loans_csv(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return write_loans(folder / "loans.csv")


@pytest.fixture
def loans(loans_csv: Path) -> dict[str, Any]:
    return loans_yaml(loans_csv)


@pytest.fixture
def settings(loans: dict[str, Any]) -> ModelSettings:
    return ModelSettings.model_validate(loans)


@pytest.fixture
def resources(tmp_path: Path) -> dict[str, Any]:
    return fake_resources(tmp_path / "state")


@pytest.fixture
def instance() -> Generator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral
