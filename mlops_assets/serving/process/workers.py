"""One generation of workers: a template imports everything once and forks each worker.

A fork needs the time to load the model, not the libraries (6-10 CPU s): a dead worker is back
within 2 s even where it was the only one, and the workers share the libraries' memory. The
application is BentoML's, by its documented `to_asgi`. Its own worker entry imports everything
anew, and ends connections without telling the clients.
"""

import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path

import uvicorn

from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import MANIFEST_FILE, VERIFIED_FILE
from mlops_assets.records.serving import Manifest
from mlops_assets.runtime.atomic import write_atomically
from mlops_assets.serving.environment import ENDPOINT, SUPERVISOR, WORKERS
from mlops_assets.serving.online.feast import IMPORTED
from mlops_assets.serving.process.connections import IDLE_SECONDS, Connection, Worker
from mlops_assets.serving.process.parents import die_with_parent
from mlops_assets.serving.version.holder import read_manifest
from mlops_assets.serving.version.model import read_servable
from mlops_assets.serving.wire.http import Receive, Scope, Send

LONGEST_REQUEST_SECONDS = 45
"""What is computed then still is given up; a request's own time-out is shorter."""
CRASH_SECONDS = 10.0
"""A worker that lived shorter crashed."""
CRASHES = 3
"""So many in a row, and the version is given up."""

# Also what the libraries import when they are first used: each fork would pay it again.
_IMPORTED = (
    "mlops_assets.serving.api.app", "mlops_assets.serving.api.guard",
    "mlops_assets.serving.process.service", "_bentoml_impl.server.app",
)  # fmt: skip
_RUNTIMES = {"onnxruntime": ("onnxruntime",), "scikit-learn": ("sklearn", "skops.io")}
_POLL_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0
_App = Callable[[Scope, Receive, Send], Awaitable[None]]

logger = logging.getLogger(__name__)


class Template:
    """Keeps the workers of one generation alive until it is told to end."""

    def __init__(self, endpoint: Path, listener: socket.socket, workers: int) -> None:
        """Nothing is forked before `run`."""
        self._endpoint, self._listener, self._wanted = endpoint, listener, workers
        self._born: dict[int, float] = {}
        self._crashes = 0
        self._next_fork = 0.0
        self._ends = False

    def run(self) -> None:
        """Fork workers and replace dead ones; returns after SIGTERM, when all have ended."""

        def end(*_: object) -> None:
            self._ends = True

        signal.signal(signal.SIGTERM, end)
        while not self._ends:
            try:
                self._turn()
            except Exception:  # e.g. no memory or a full disk; the other workers must outlive it
                logger.exception("keeping the workers failed; trying again")
            time.sleep(_POLL_SECONDS)
        for pid in self._born:
            os.kill(pid, signal.SIGTERM)
        while self._born:
            self._reap()
            time.sleep(_POLL_SECONDS)

    def _turn(self) -> None:
        self._reap()
        while len(self._born) < self._wanted and time.monotonic() >= self._next_fork:
            self._fork()
        self._forget_crashes()

    def _forget_crashes(self) -> None:
        """They are in a row only while some worker is missing, or may still crash."""
        grown = time.monotonic() - CRASH_SECONDS
        if len(self._born) == self._wanted and max(self._born.values()) < grown:
            self._crashes = 0

    def _fork(self) -> None:
        _preload(self._endpoint)
        parent, pid = os.getpid(), os.fork()
        if pid:
            self._born[pid] = time.monotonic()
            return
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            die_with_parent(parent)
            _serve(self._listener)
        except BaseException:
            logger.exception("the worker ended")
        finally:
            os._exit(1)  # whatever happened, this is not the template

    def _reap(self) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        while self._born:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            mark_process_dead(pid)
            lived = time.monotonic() - self._born.pop(pid)
            if self._ends:
                continue
            how = os.waitstatus_to_exitcode(status)
            logger.warning("worker %d ended by %d after %.1f s; replacing it", pid, how, lived)
            self._count(crashed=lived < CRASH_SECONDS)

    def _count(self, *, crashed: bool) -> None:
        """Replace at once what lived long, later what crashed, and leave a version that crashes."""
        self._crashes = self._crashes + 1 if crashed else 0
        pause = min(0.1 * 2**self._crashes, _LONGEST_PAUSE_SECONDS) if crashed else 0.0
        self._next_fork = time.monotonic() + pause
        if self._crashes == CRASHES:
            give_up_version(self._endpoint)


def give_up_version(endpoint: Path) -> Manifest | None:
    """Make the workers serve the previous good version; None if there is none.

    For a version that ends its workers: one that merely raises, they refuse themselves.
    """
    manifest = read_manifest(endpoint)
    if manifest is not None and manifest.candidate is not None:
        given_up, instead = manifest.candidate.model_version, {"candidate": None}
    elif manifest is not None and manifest.previous is not None:
        before = read_servable(Path(manifest.previous)).model_version
        given_up = manifest.model_version
        instead = {"model_version": before, "folder": manifest.previous, "previous": None}
    else:
        logger.error("the workers of %s crash, and no version was good before", endpoint)
        return None
    renewed = manifest.model_copy(update={"generation": manifest.generation + 1, **instead})
    content = renewed.written(endpoint)
    for name in (VERIFIED_FILE, MANIFEST_FILE):  # or `mlops up` would bring the crashes back
        write_atomically(endpoint / name, lambda file: file.write_bytes(content))
    said = "version %d crashed %d workers in a row; version %d serves"
    logger.error(said, given_up, CRASHES, renewed.model_version)
    return renewed


def _preload(endpoint: Path) -> None:
    if missing := [name for name in _needed(endpoint) if name not in sys.modules]:
        for name in missing:
            import_module(name)
        # No fork need look at these objects, nor copy their memory to do so.
        gc.collect()
        gc.freeze()


def _needed(endpoint: Path) -> tuple[str, ...]:
    """What workers of the wanted version import, and nothing of what they do not."""
    try:
        manifest = read_manifest(endpoint)
        if manifest is None:
            return _IMPORTED
        runtime = read_servable(Path(manifest.folder)).inference.runtime
    except DeploymentError:  # of which the workers tell
        return _IMPORTED
    feast = IMPORTED if manifest.online.lookup == "feast" else ()
    return (*_IMPORTED, *_RUNTIMES[runtime], *feast)


def _front(shell: _App, entrance: _App) -> _App:
    """Send every request to our application: only the start and the end are BentoML's.

    Its own routes would stand beside the guard, and cost a prediction a third more.
    """

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        await (entrance if scope["type"] == "http" else shell)(scope, receive, send)

    return front


def serve_alone(endpoint: Path, listener: socket.socket) -> None:
    """Serve as the only worker, in this process; `SystemExit` if it could not start."""
    _preload(endpoint)
    _serve(listener)
    gc.unfreeze()  # or the libraries complain of leaks


def _serve(listener: socket.socket) -> None:
    from mlops_assets.serving.process.service import EndpointService, entrance

    config = uvicorn.Config(
        _front(EndpointService.to_asgi(), entrance),
        http=Connection,
        ws="none",
        log_config=None,
        server_header=False,
        lifespan="on",
        access_log=False,
        proxy_headers=False,  # whom to believe is the guard's to say
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=LONGEST_REQUEST_SECONDS,
    )
    Worker(config).run(sockets=[listener])


def main() -> None:
    """Serve on the socket whose number is the only argument."""
    die_with_parent(int(os.environ[SUPERVISOR]))
    logging.basicConfig(format="%(asctime)s %(process)d %(name)s %(levelname)s %(message)s")
    listener = socket.socket(fileno=int(sys.argv[1]))
    endpoint, workers = Path(os.environ[ENDPOINT]), int(os.environ[WORKERS])
    Template(endpoint, listener, workers).run()
    gc.unfreeze()  # or the libraries complain of leaks


if __name__ == "__main__":
    main()
