"""What `mlops reproduce` hands on of the caller's variables."""

from pathlib import Path

import pytest

from mlops_assets.cli.reproduction import environment
from tests.unit.training.test_reproduction import RECORD

LIVE = (
    *("MLOPS_DATABASE", "MLOPS_ONLINE_STORE", "MLOPS_LEDGER", "MLOPS_ENDPOINTS", "MLOPS_STORAGE"),
    *(
        "MLFLOW_TRACKING_URI",
        "MLOPS_EXECUTOR",
        "MLOPS_ALERT_WEBHOOK",
        "MLOPS_SHARED",
        "MLOPS_FEAST",
        "MLOPS_BUCKET",
    ),
)
NEEDED = ("MLOPS_SALES_URI", "MLOPS_PORT_CUSTOMERS", "MLOPS_TARGET", "SALES_PASSWORD")


def test_variables_of_a_version_stay_and_those_of_live_state_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*LIVE, *NEEDED, "MLOPS_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "live")
    monkeypatch.setenv("MLOPS_DATABASE", "postgresql://ada:pw@127.0.0.1/live")
    found = environment(RECORD, tmp_path / "code", tmp_path)
    assert not found.keys() & set(LIVE)
    assert {name: found.get(name) for name in NEEDED} == dict.fromkeys(NEEDED, "live")
    assert found["MLOPS_HOME"] == str(tmp_path)
    assert "live" not in (found["DAGSTER_HOME"], found["MLOPS_PROJECT"])


@pytest.mark.parametrize(
    ("made_by", "today", "taken"),
    [
        ("duckdb://", "spark://here:7077", "duckdb://"),
        ("arrays", "duckdb://", "arrays"),
        ("spark://gone:7077", "duckdb://", "spark://gone:7077"),
        ("spark://gone:7077", "sc://here:15002/;token=t", "sc://here:15002/;token=t"),
        (
            "postgresql://shop.example/shop",
            "postgresql://ada:pw@shop.example/shop",
            "postgresql://ada:pw@shop.example/shop",
        ),
        ("postgresql://shop.example/shop", "local[2]", "postgresql://shop.example/shop"),
        ("local[2]", "local[4]?spark.driver.memory=4g", "local[4]?spark.driver.memory=4g"),
    ],
)
def test_features_are_by_the_engine_that_made_them_or_by_the_server_of_today(
    made_by: str, today: str, taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_ENGINE", today)
    recorded = RECORD.model_copy(update={"engine": made_by})
    assert environment(recorded, tmp_path / "code", tmp_path)["MLOPS_ENGINE"] == taken
