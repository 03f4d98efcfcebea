"""MLflow's own web server, as `mlflow server` starts it, behind the guard.

`python -m mlops_assets.interfaces.mlflow_ui [--host HOST] [--port PORT]`, with the variables of
`mlflow server`: MLFLOW_BACKEND_STORE_URI and MLFLOW_ARTIFACTS_DESTINATION. A URI may hold a
password, which a command line would show to everybody on the machine.
"""

import argparse
import os
from pathlib import Path

from mlops_assets.home import HOST, INTERFACE_PORTS
from mlops_assets.interfaces.dagster_ui import serve
from mlops_assets.interfaces.guard import Access, guarded

_PROXIED = "mlflow-artifacts:/"
"""Where clients of the server find the artifacts of new experiments: at the server."""

_CHOICE = """\
<script>const kept="mlflow.workflowType_v1";\
localStorage.getItem(kept)||localStorage.setItem(kept,'"machine_learning"')</script>"""
"""Where MLflow's pages keep what was chosen last; no tag of an experiment decides it."""


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=INTERFACE_PORTS["MLOPS_PORT_MLFLOW"])
    chosen = parser.parse_args()
    access, store = Access.of_environment(), os.environ["MLFLOW_BACKEND_STORE_URI"]
    # Its own check of hosts takes `10.evil.example` for an address; ours stands before it.
    os.environ["MLFLOW_SERVER_ALLOWED_HOSTS"] = "*"
    os.environ["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"] = ",".join(access.origins)
    # What `mlflow server` tells its workers.
    from mlflow.server import constants

    os.environ[constants.BACKEND_STORE_URI_ENV_VAR] = store
    os.environ[constants.ARTIFACT_ROOT_ENV_VAR] = _PROXIED
    os.environ[constants.SERVE_ARTIFACTS_ENV_VAR] = "true"
    destination = os.environ["MLFLOW_ARTIFACTS_DESTINATION"]
    os.environ[constants.ARTIFACTS_DESTINATION_ENV_VAR] = destination
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    initialize_backend_stores(store, store, _PROXIED)
    _show_training()
    serve(guarded(app, access), chosen.host, chosen.port)


def _show_training() -> None:
    """Let a browser that comes first see MLflow's pages of models, not those of agents."""
    from mlflow.server import app

    page = Path(str(app.static_folder), "index.html").read_text(encoding="utf-8")
    app.view_functions["serve"] = lambda: page.replace("<head>", f"<head>{_CHOICE}", 1)


if __name__ == "__main__":
    main()
