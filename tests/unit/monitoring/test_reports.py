"""Pages of Evidently for columns that it would refuse."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.records.monitoring import DriftSummary, Window
from resources.reports import EvidentlyReports

START = datetime(2024, 3, 1, tzinfo=UTC)
SUMMARY = DriftSummary(
    model="loans",
    model_version=3,
    window=Window(start=START, end=START + timedelta(days=1)),
    rows=500,
    reference_rows=500,
    verdict="drifted",
    drifted_columns=("amount",),
    scores={"empty": 0.0, "amount": 0.4321, "prediction": 0.0},
)
DTYPES: dict[str, Any] = {"empty": "float64", "amount": "float64"}


def frame(empty: float) -> pd.DataFrame:
    values = np.arange(500.0)
    return pd.DataFrame({"empty": empty, "amount": values, "prediction": values / 500})


def test_a_column_without_values_on_a_side_is_left_out() -> None:
    reports = EvidentlyReports()
    old, new = frame(np.nan), frame(1.0)
    page = reports.render(SUMMARY, ("empty", "amount"), old, new, DTYPES, 0.2, {})
    assert "Drift is detected for 100.0% of columns (1 out of 1)." in str(page)
    assert reports.render(SUMMARY, ("empty",), old, new, DTYPES, 0.2, {}) is None
    assert (
        reports.render(SUMMARY, ("empty",), new, new.drop(columns="empty"), DTYPES, 0.2, {}) is None
    )


def test_the_page_says_what_the_report_says() -> None:
    rows = frame(1.0)  # the same on both sides: what is said of it is not Evidently's own
    columns = ("amount", "prediction")
    text = str(EvidentlyReports().render(SUMMARY, columns, rows, rows, DTYPES, 0.2, {}))
    assert "Drift is detected for 50.0% of columns (1 out of 2)." in text
    assert "0.4321" in text
    assert "PSI, corrected for chance" in text
    assert "Dataset Drift is detected" in text


def test_without_a_column_to_draw_evidently_is_not_imported() -> None:
    code = (
        "import sys, tests.unit.monitoring.test_reports as t; nan = t.frame(float('nan'))\n"
        "reports = t.EvidentlyReports()\n"
        "reports.render(t.SUMMARY, ('empty',), nan, nan, t.DTYPES, 0.2, {})\n"
        "print('evidently' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
