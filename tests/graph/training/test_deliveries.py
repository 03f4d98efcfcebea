"""What `mlops init` writes of a first delivery serves the ids of all that follow it."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.cli.init.writing import write_model
from mlops_assets.components.model_files import read_parts
from mlops_assets.config import ModelSettings
from mlops_assets.init.questions import Answers
from mlops_assets.records.data import FeatureView
from tests.support.fakes.features import FakeDatasets
from tests.support.runs.pipeline_runs import failure, materialize

ROWS = 300
TO_FEATURES = ["raw_data", "processed_data", "features"]
YEAR = pd.Timedelta("365d")


def delivery(number: int, cadence: pd.Timedelta, *, returning: bool) -> pd.DataFrame:
    """Rows of the days since the delivery before; if ids return, twice, and some of before."""
    rng = np.random.default_rng(number)
    end = pd.Timestamp.now("UTC").floor("s") - pd.Timedelta("1h") - (2 - number) * cadence
    ids = number * 100 + np.arange(ROWS) % 150 if returning else number * ROWS + np.arange(ROWS)
    amount = rng.normal(size=ROWS).round(3)
    return pd.DataFrame(
        {
            "id": ids,
            "at": pd.date_range(end - cadence, end, periods=ROWS + 1)[1:].strftime("%FT%TZ"),
            "amount": amount,
            "paid": np.where(amount + rng.normal(size=ROWS) > 0, "yes", "no"),
        }
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mlops.yaml").touch()
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path))
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def inferred(folder: Path, target: str, **options: str) -> ModelSettings:
    write_model(str(folder / "loans.csv"), target, "loans", Answers(options))
    (part,) = read_parts(folder / "defs")
    return part.models[0].settings


def served(settings: ModelSettings, resources: dict[str, Any]) -> set[Any]:
    view = FeatureView.of(settings)
    return set(resources["feature_store"].online_rows(view, range(5 * ROWS))[view.key.name])


def a_year_later(resources: dict[str, Any]) -> FakeDatasets:
    now = resources["datasets"]
    pinned = (pd.Timestamp.now("UTC") + YEAR).isoformat()
    return FakeDatasets(
        root=now.root, cache=now.cache, quarantine=now.quarantine, pinned_now=pinned
    )


@pytest.mark.parametrize("returning", [False, True])
@pytest.mark.parametrize("cadence", ["1d", "7d"])
def test_ids_of_the_first_delivery_are_served_after_the_third(
    cadence: str,
    returning: bool,
    project: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    parts = [delivery(n, pd.Timedelta(cadence), returning=returning) for n in range(3)]
    parts[0].to_csv(project / "loans.csv", index=False)
    settings = inferred(project, "paid", entity="id", timestamp="at")
    for number in (1, 2, 3):
        delivered = pd.concat(parts[:number])
        delivered.to_csv(project / "loans.csv", index=False)
        result = materialize(settings, resources, instance, TO_FEATURES)
        assert result.success, failure(result)
        assert served(settings, resources) == set(delivered["id"])


def test_a_table_that_is_delivered_once_is_served_as_long_as_it_is_the_newest(
    project: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    delivery(2, pd.Timedelta("30d"), returning=False).to_csv(project / "loans.csv", index=False)
    settings = inferred(project, "paid", entity="id", timestamp="at")
    assert settings.features.clock == "wall"
    later = {**resources, "datasets": a_year_later(resources)}
    result = materialize(settings, later, instance, TO_FEATURES)
    assert result.success, failure(result)
    assert len(served(settings, resources)) == ROWS


@pytest.mark.parametrize("cadence", ["1d", "7d", "30d"])
def test_an_event_log_is_served_until_its_next_delivery(cadence: str, project: Path) -> None:
    rng = np.random.default_rng(0)
    now = pd.Timestamp.now("UTC").floor("h")
    at = pd.date_range(now - pd.Timedelta("80d"), now, periods=6000)
    log = pd.DataFrame({"user": rng.integers(0, 200, 6000), "at": at.strftime("%FT%TZ")})
    log["kind"] = rng.choice(["view", "buy"], 6000, p=[0.8, 0.2])
    log.to_csv(project / "loans.csv", index=False)
    settings = inferred(project, "kind=buy", entity="user", timestamp="at")
    step = {"1 day": "1d", "1 week": "7d", "2 weeks": "14d", "1 month": "31d"}
    assert settings.features.snapshots is not None
    # The newest snapshot is a step old when the next one is due, and a delivery brings that.
    oldest = pd.Timedelta(step[settings.features.snapshots.every]) + pd.Timedelta(cadence)
    assert settings.features.ttl is not None
    assert settings.features.ttl >= oldest
