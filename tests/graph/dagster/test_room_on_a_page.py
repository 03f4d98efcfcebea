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
from tests.support.runs.pipeline_runs import build, materialize
from tests.support.served.live_rows import predictions, stored_features

CHARACTERS, OF_A_COLUMN, OF_A_NAME = 70, 2.1, 0.86
"""Of an entry and the longest key of its page beside each other, at 1,500 pixels with the menu
open; those of a column's lines and margins; and of a letter of its name, which is smaller."""
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


Metadata = dict[str, dict[str, Any]]


def metadata(result: dg.ExecuteInProcessResult) -> Metadata:
    return {
        event.asset_key.path[-1]: dict(event.step_materialization_data.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


def widths(found: Metadata) -> dict[str, int]:
    """Each entry that has no room, and of how many characters it and the page's longest key are."""
    wide = {}
    for stage, entries in found.items():
        shown = {name: entry for name, entry in entries.items() if not name.startswith("dagster/")}
        key = max(map(len, shown))
        for name, entry in shown.items():
            is_table = isinstance(entry, dg.TableMetadataValue)
            size = width(entry) if is_table else longest(str(entry.value))
            if not isinstance(entry, dg.MarkdownMetadataValue) and key + size > CHARACTERS:
                wide[f"{stage}.{name}"] = round(key + size)
    return wide


def width(table: dg.TableMetadataValue) -> float:
    """Characters beside each other."""
    columns = [column.name for column in table.schema.columns]
    cells = {name: " ".join(str(record.data[name]) for record in table.records) for name in columns}
    return sum(
        max(longest(cells[name]), longest(name) * OF_A_NAME) + OF_A_COLUMN for name in columns
    )


def longest(text: str) -> int:
    """Characters of the longest line, which is broken wherever there is a space or a hyphen."""
    return max(map(len, text.replace("-", "- ").split()), default=0)


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
    looked_back = (
        build(wide, resources)
        .resolve_job_def("loans_backtest")
        .execute_in_process(
            instance=instance,
            run_config={"ops": {"loans__backtest": {"config": {"windows": 3}}}},
        )
    )
    found = metadata(trained) | metadata(watched) | metadata(looked_back)
    assert widths(found) == {}
    moved = found["drift_report"]["columns"].records
    assert len(moved) == len(NAMES) + 3, "the prediction is one of them"
    assert {record.data["name"] for record in moved} >= set(NAMES), "none is lost"
    assert moved[0].data["verdict"] == "drifted", "what moved comes first"
    (event,) = watched.asset_materializations_for_node("loans__drift_report")
    assert len(str(event.metadata["reasons"].value)) < 1_200
    assert "more" in str(event.metadata["reasons"].value)
