"""A flat table whose entities recur: trained, served by each one's newest row, labelled by all."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from tests.support.runs.pipeline_runs import checks, materialize, metadata

MACHINES = 7


@pytest.fixture
def newest(loans: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The table's ids recur; what the newest row of each says."""
    file = Path(loans["source"]["uri"])
    rows = pd.read_csv(file)
    rows["id"] = 2**53 + 1 + np.arange(len(rows)) % MACHINES
    rows.to_csv(file, index=False)
    last = rows.groupby("id").tail(1).set_index("id")
    return {int(who): dict(row) for who, row in last[["amount", "grade"]].iterrows()}


@pytest.mark.parametrize("max_rows", [1, 1000])  # of a request; the check asks for 20
def test_each_machine_is_served_by_its_newest_row(
    max_rows: int,
    loans: dict[str, Any],
    newest: dict[int, dict[str, Any]],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    resources["deployment"].know(newest)
    loans["deployment"]["max_rows"] = max_rows
    result = materialize(ModelSettings.model_validate(loans), resources, instance)
    found = checks(result)
    assert result.success
    assert found["online_equals_offline"]
    assert found["live_equals_offline"]
    said = metadata(result, "loans", "features")
    assert said["dagster/row_count"] == 400
    assert str(2**53 + 1) in said["preview"]


def test_a_row_that_is_not_the_newest_fails_the_deployment(
    loans: dict[str, Any],
    newest: dict[int, dict[str, Any]],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    first = min(newest)
    resources["deployment"].know(newest | {first: {"amount": 1.5, "grade": "a"}})
    result = materialize(ModelSettings.model_validate(loans), resources, instance)
    checked = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert checked["live_equals_offline"].metadata["different"].value == str(first)
    assert not result.success
