"""Dagster's own web server, as `dagster-webserver` starts it, behind the guard.

`python -m mlops_assets.interfaces.dagster_ui --workspace FILE [--host HOST] [--port PORT]`
"""

import argparse
from pathlib import Path
from typing import Any

import uvicorn
from dagster import DagsterInstance
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver

from mlops_assets.home import HOST, INTERFACE_PORTS, status_page_file
from mlops_assets.interfaces.guard import Access, guarded
from mlops_assets.interfaces.status_page import WithStatusPage
from mlops_assets.serving.process.connections import IDLE_SECONDS, Connection
from resources.dagster.internals import configure_loggers, workspace_process

_STATEMENT_MS, _POOL_SECONDS, _POOL_OVERFLOW = 15_000, 3_600, 20
"""Those of `dagster-webserver`."""


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=INTERFACE_PORTS["MLOPS_PORT_DAGSTER"])
    chosen = parser.parse_args()
    configure_loggers(log_level="WARNING")
    access = Access.of_environment()
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_MS, _POOL_SECONDS, _POOL_OVERFLOW)
        with workspace_process(instance, chosen.workspace, __version__) as context:
            ui = DagsterWebserver(context).create_asgi_app()
            app = guarded(WithStatusPage(ui, status_page_file()), access)
            serve(app, chosen.host, chosen.port)


def serve(app: Any, host: str, port: int) -> None:
    """Serve an application until SIGTERM; whom to believe of its clients is the guard's to say."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=Connection,
        log_level="warning",
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
    )


if __name__ == "__main__":
    main()
