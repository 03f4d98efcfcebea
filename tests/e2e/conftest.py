"""The files that take longest begin first, so that no worker is left alone with one at the end."""

from pathlib import Path

import pytest

LONGEST = (
    "dagster/test_airflow.py",
    "cli/test_examples.py",
    "features/test_spark.py",
    "cli/test_tutorial.py",
    "dagster/test_dagster_ui.py",
    "endpoints/test_deployment_contract.py",
    "cluster/test_cluster_training.py",
    "cluster/test_cluster_canary.py",
    "cluster/test_cluster_runs.py",
    "scoring/test_score.py",
    "servers/test_several_machines.py",
    "champion/test_promotions.py",
    "training/test_reproduce.py",
    "interfaces/test_dev.py",
    "cli/test_cli.py",
)
"""By the seconds that they took when they were last looked at."""
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {HERE / name: place for place, name in enumerate(LONGEST)}
    missing = [str(file) for file in order if not file.exists()]
    assert not missing, f"LONGEST names what is not there: {missing}"
    items.sort(key=lambda item: order.get(item.path, len(order)))
