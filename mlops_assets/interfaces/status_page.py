"""The status page at /status of the Dagster UI, made anew when somebody looks.

What stands on it is `mlops_assets.status`'s. It is made by a process of its own, which reads the
models' files as they are now, and costs nothing while nobody looks.
"""

import subprocess
import sys
import threading
import time
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

PATH = "/status"
_FRESH_SECONDS = 30.0
_TIMEOUT_SECONDS = 120.0


class WithStatusPage:
    """An application, and the page beside it."""

    def __init__(self, app: ASGIApp, file: Path) -> None:
        self._app, self._file = app, file
        self._one_at_a_time = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the page, or let the application answer."""
        if scope["type"] != "http" or scope["path"].rstrip("/") != PATH:
            return await self._app(scope, receive, send)
        answer = await run_in_threadpool(self._page)
        return await answer(scope, receive, send)

    def _page(self) -> Response:
        with self._one_at_a_time:
            said = "" if self._is_fresh() else self._write()
            if said:
                return PlainTextResponse(f"the page cannot be made: {said}\n", 500)
        unkept = {"cache-control": "no-store"}
        return FileResponse(self._file, media_type="text/html", headers=unkept)

    def _is_fresh(self) -> bool:
        return self._file.exists() and time.time() - self._file.stat().st_mtime < _FRESH_SECONDS

    def _write(self) -> str:
        """Why it could not be written; empty if it was, whatever it says of the models."""
        command = [sys.executable, "-m", "mlops_assets", "status", "--html", str(self._file)]
        began = time.time() - 1
        try:
            ended = subprocess.run(  # noqa: S603
                command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"`mlops status` takes longer than {_TIMEOUT_SECONDS:g} s"
        if self._file.exists() and self._file.stat().st_mtime >= began:
            return ""
        return (ended.stderr.strip().splitlines() or ["`mlops status` said nothing"])[-1]
