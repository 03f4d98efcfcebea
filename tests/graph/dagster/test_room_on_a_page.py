"""Every table that an asset states has room on a page of the Dagster UI, whatever its columns."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.assets.declared import WORD
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.ml.columns import TABLES
from tests.support.live_rows import predictions, stored_features
from tests.support.pipeline_runs import build, materialize

CHARACTERS, OF_A_COLUMN = 76, 2.4
"""Of a table beside each other at 1,500 pixels with the menu open; lines and margins of a column
take 17 of them."""
LONGER = f"amount_{'of_that_loan_in_euro_' * 6}before_fees"
NAMES = [f"average_transaction_value_in_the_{n}th_of_the_last_sixty_days" for n in range(60)]


@pytest.fixture
def wide(loans: dict[str, Any]) -> ModelSettings:
    """The loans with 60 numbers of long names, each of another size; one is delivered as longer."""
    file = Path(loans["source"]["uri"])
    rows, rng = pd.read_csv(file), np.random.default_rng(0)
    noise = rng.normal(size=(len(rows), len(NAMES))) * 10.0 ** (np.arange(len(NAMES)) % 12)
    rows = pd.concat([rows, pd.DataFrame(noise, columns=NAMES)], axis=1)
    loans["contract"]["columns"] |= {name: {"dtype": "float64"} for name in NAMES}
    rows.rename(columns={"amount": LONGER}).to_csv(file, index=False)
    loans["contract"]["columns"]["amount"] |= {"from": LONGER}
    loans["features"]["columns"] = ["amount", "grade", *NAMES]
    loans["monitoring"] = {"window": "500d", "drift": {"min_rows": 50}}
    return ModelSettings.model_validate(loans)


def tables(result: dg.ExecuteInProcessResult) -> dict[str, dg.TableMetadataValue]:
    return {
        f"{event.asset_key.path[-1]}.{name}": entry
        for event in result.get_asset_materialization_events()
        if event.asset_key
        for name, entry in event.step_materialization_data.materialization.metadata.items()
        if isinstance(entry, dg.TableMetadataValue)
    }


def width(table: dg.TableMetadataValue) -> float:
    """Characters beside each other, when a cell is broken wherever it has a space or a hyphen."""
    longest = 0.0
    for column in table.schema.columns:
        texts = [column.name, *(str(record.data[column.name]) for record in table.records)]
        words = [word for text in texts for word in text.replace("-", "- ").split()]
        longest += max(map(len, words)) + OF_A_COLUMN
    return longest


def test_a_description_breaks_on_a_page(wide: ModelSettings, resources: dict[str, Any]) -> None:
    """The UI breaks a description at its blanks, and cuts off what is longer than its column."""
    specs = {s.key.path[-1]: s for s in build(wide, resources).resolve_all_asset_specs()}
    told = [
        str(column.description)
        for stage in TABLES
        for column in specs[stage].metadata["dagster/column_schema"].columns
    ]
    assert any(LONGER[:12] in said for said in told)
    assert max(len(word) for said in told for word in said.split()) <= WORD


def test_sixty_columns_of_long_names_have_room(
    wide: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    trained = materialize(wide, resources, instance)
    assert trained.success
    features = stored_features(resources)
    logged = predictions(features, np.full(len(features), 0.5), names=wide.features.names)
    logged[[f"feature_{name}" for name in NAMES[:20]]] *= 50.0
    resources["predictions"].add("loans", logged)
    stages = ("prediction_log", "labels", "drift_report", "performance_report")
    watched = (
        build(wide, resources)
        .resolve_job_def("loans_monitoring")
        .execute_in_process(
            instance=instance,
            asset_selection=[asset_key("loans", stage) for stage in stages],
            raise_on_error=False,
        )
    )
    found = tables(trained) | tables(watched)
    assert {
        name: round(width(table)) for name, table in found.items() if width(table) > CHARACTERS
    } == {}
    moved = found["drift_report.columns"].records
    assert len(moved) == len(NAMES) + 3, "the prediction is one of them"
    assert {record.data["name"] for record in moved} >= set(NAMES), "none is lost"
    assert moved[0].data["verdict"] == "drifted", "what moved comes first"
    (event,) = watched.asset_materializations_for_node("loans__drift_report")
    assert len(str(event.metadata["reasons"].value)) < 1_200
    assert "more" in str(event.metadata["reasons"].value)
