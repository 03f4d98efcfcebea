"""What each library of the lock calls home by, switched off.

Some, as ONNX Runtime, look at their switch when they are imported, so the package itself turns them
off before it imports anything. Processes that begin with another program (`mlflow server`, a built
Bento, the image) get the same variables from whoever starts them. Dagster has no variable: its
switch stands in each `dagster.yaml`, which its tools, `dg` among them, find by DAGSTER_HOME.
"""

import os

SWITCHES = {
    "DO_NOT_TRACK": "1",  # Evidently, and others that follow the convention
    "ORT_DISABLE_TELEMETRY": "1",  # else a device id and queued events under ~/.cache
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "DVC_NO_ANALYTICS": "1",
}


def turn_telemetry_off() -> None:
    """Set each library's own switch for this process and its children."""
    os.environ.update(SWITCHES)
