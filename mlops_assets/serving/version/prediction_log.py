"""One worker's prediction log: appended before a request is answered.

Files are `<date>-<pid>-<n>.jsonl`, of a pod, which shares the folder with others,
`<date>-<pod>-<pid>-<n>.jsonl`; closed by opening the next `n`, never renamed. A request's rows are
one `write`: what the kernel has taken outlives the process, so `kill -9` loses nothing that was
answered. Compaction leaves `<file>.done` beside a file that may be deleted.
"""

import errno
import logging
import os
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.errors import MlopsError, PredictionLogFullError
from mlops_assets.runtime.atomic import ensure_folder

SYNC_SECONDS = 1.0
RETRY_SECONDS = 1.0
"""How long a log that was full refuses before it looks again."""

_MEGABYTE = 1_000_000
_DAY_SECONDS = 86_400
_CHECK_BYTES = _MEGABYTE
"""How much a worker writes before it measures the folder again."""

logger = logging.getLogger(__name__)


class PredictionLogWriter:
    """Appends lines; for several threads of one process."""

    def __init__(self, folder: Path, host: str = "") -> None:
        """Nothing is created before the first line; `host` tells equal pids of a folder apart."""
        self.failures = 0
        """Requests that could not be logged."""
        self.error: str | None = None
        """Why the newest one could not; None once one could."""
        self._folder, self._host = folder, host
        self._lock = threading.Lock()
        self._handle: int | None = None
        self._day = 0
        self._size = self._unchecked = 0
        self._measured = False
        self._full_until = 0.0
        self._unsynced_since: float | None = None

    def append(self, lines: bytes, settings: LogSettings) -> None:
        """Write whole lines at once, or none of them.

        Raises:
            PredictionLogFullError: The disk or the space set aside is full, or the folder cannot
                be written; or, with `fsync: request`, the written lines are not durable.
        """
        with self._lock:
            try:
                self._append(lines, settings)
            except (OSError, MlopsError) as err:
                self.failures += 1
                if self.error is None:
                    logger.error("predictions are not logged: %s", err)
                self.error = str(err)
                raise PredictionLogFullError(
                    f"the prediction cannot be logged: {err}. Free some space, compact the log "
                    "(asset prediction_log), or raise deployment.log.max_disk_mb"
                ) from err
            self.error = None

    def sync_if_due(self) -> None:
        """Make durable what is older than the interval; call it often, outside of requests."""
        since = self._unsynced_since
        if since is None or time.monotonic() - since < SYNC_SECONDS:
            return
        with self._lock:  # a copy, so that requests need not wait for the disk
            self._unsynced_since = None
            handle = os.dup(self._handle) if self._handle is not None else None
        if handle is None:
            return
        try:
            os.fsync(handle)
        except OSError:
            logger.exception("the prediction log cannot be made durable")
        finally:
            os.close(handle)

    def close(self) -> None:
        """End the file; the next line opens another."""
        with self._lock:
            self._close()

    def _append(self, lines: bytes, settings: LogSettings) -> None:
        self._require_space(settings, len(lines))
        day = int(time.time() // _DAY_SECONDS)
        if day != self._day or self._size >= settings.rotate_mb * _MEGABYTE:
            self._close()
        if self._handle is None:
            self._handle, self._day, self._size = self._open(), day, 0
        self._write(self._handle, lines)
        self._unchecked += len(lines)
        if settings.fsync == "request":
            os.fsync(self._handle)
        elif settings.fsync == "interval" and self._unsynced_since is None:
            self._unsynced_since = time.monotonic()

    def _write(self, handle: int, lines: bytes) -> None:
        written = os.write(handle, lines)
        if written == len(lines):
            self._size += written
            return
        try:
            os.ftruncate(handle, self._size)
        except OSError:  # the reader skips a torn last line
            self._close()
        raise OSError(errno.ENOSPC, f"only {written} of {len(lines)} bytes were written")

    def _open(self) -> int:
        writer = f"{self._host}-{os.getpid()}" if self._host else f"{os.getpid()}"
        known = [int(p.stem.rsplit("-", 1)[1]) for p in self._folder.glob(f"*-{writer}-*.jsonl")]
        number = max(known, default=-1) + 1
        day = datetime.now(UTC)
        path = ensure_folder(self._folder) / f"{day:%Y-%m-%d}-{writer}-{number}.jsonl"
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)

    def _close(self) -> None:
        handle, self._handle, self._unsynced_since = self._handle, None, None
        if handle is None:
            return
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _require_space(self, settings: LogSettings, needed: int) -> None:
        if self._measured and self._unchecked + needed < _CHECK_BYTES:
            return
        allowed, now = settings.max_disk_mb * _MEGABYTE, time.monotonic()
        if now >= self._full_until:
            used = make_room(self._folder, allowed - needed)
            self._measured, self._unchecked = used + needed <= allowed, 0
            if not self._measured:
                self._full_until = now + RETRY_SECONDS
        if not self._measured:
            raise OSError(errno.EDQUOT, f"the log's {settings.max_disk_mb} MB are full")


def make_room(folder: Path, allowed: int) -> int:
    """Delete the oldest compacted files until `allowed` bytes are used; the bytes used after."""
    files = _sizes(folder)
    used = sum(files.values())
    for path in sorted(files, key=lambda path: (path.name[:10], path.name)):
        if used <= allowed:
            break
        marker = path.with_name(f"{path.name}.done")
        if _marked(marker) != files[path]:
            continue
        path.unlink(missing_ok=True)
        marker.unlink(missing_ok=True)
        used -= files[path]
    return used


def backlog(folder: Path) -> int:
    """Bytes that are not compacted yet."""
    sizes = _sizes(folder)
    return sum(
        size for path, size in sizes.items() if _marked(path.with_name(f"{path.name}.done")) != size
    )


def _sizes(folder: Path) -> dict[Path, int]:
    sizes = {}
    for path in folder.glob("*.jsonl"):
        with suppress(FileNotFoundError):  # another worker made room
            sizes[path] = path.stat().st_size
    return sizes


def _marked(marker: Path) -> int | None:
    """How much of the file was compacted when the marker was left."""
    try:
        return int(marker.read_text())
    except (FileNotFoundError, ValueError):
        return None
