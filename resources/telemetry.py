"""Telemetry of every library we run, off. Dagster's own switch stands in dagster.yaml."""

import os

SWITCHES = {
    "DO_NOT_TRACK": "1",  # Evidently and others that follow the convention
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "DVC_NO_ANALYTICS": "1",
    "DAGSTER_DISABLE_TELEMETRY": "yes",
}


def turn_telemetry_off() -> None:
    """Set each library's own switch for this process and its children."""
    os.environ.update(SWITCHES)
