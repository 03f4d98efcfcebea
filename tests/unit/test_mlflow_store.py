"""Where the MLflow UI is."""

import pytest

from resources.mlflow_store import ui_url


@pytest.mark.parametrize(
    ("tracking_uri", "address"),
    [
        ("https://ada:secret@mlflow.example:8443/team/", "https://mlflow.example:8443/team"),
        ("http://mlflow:5000", "http://mlflow:5000"),
        ("sqlite:////srv/mlflow.db", "http://127.0.0.1:5000"),
        ("postgresql://ada:secret@db/mlflow", "http://127.0.0.1:5000"),
    ],
)
def test_the_address_holds_no_password(tracking_uri: str, address: str) -> None:
    assert ui_url(tracking_uri, "http://127.0.0.1:5000/") == address
