"""Files that are written whole or not at all, and locks between processes."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mlops_assets.errors import StateError

_LITTLE = 100_000
"""Bytes; with less, sqlite speaks of an I/O error, since it cannot even write its journal."""
_IN_USE = "in-use"
"""Lock in a folder whose process lives."""


def is_full(path: Path) -> bool:
    """Whether the disk on which `path` is, or would be, has no space left to speak of."""
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    return shutil.disk_usage(there).free < _LITTLE


def require_room(folder: Path, size: int) -> None:
    """Nothing; `OSError` (ENOSPC) if `size` bytes and ten times what is little do not fit there."""
    if shutil.disk_usage(folder).free < size + 10 * _LITTLE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def ensure_folder(path: Path) -> Path:
    """Create `path` and its parents where missing, and return it; `StateError` if it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise StateError(
            f"cannot create the folder {path}: {err.strerror}. "
            "Point MLOPS_HOME at a folder that this user may write."
        ) from err
    return path


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in its place.

    Raises:
        StateError: As `replacing`.
    """
    with replacing(path) as temporary:
        write(temporary)


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A temporary file beside `path`, which is put in its place once the body has filled it.

    A reader sees the previous content or the new one, never a part; when the body raises or the
    disk is full, the previous content stays.

    Raises:
        StateError: The folder cannot be created or written.
    """
    ensure_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as err:
        raise StateError(
            f"cannot write in {path.parent}: {err.strerror}. "
            "Point MLOPS_HOME at a folder that this user may write."
        ) from err
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as err:
        raise StateError(
            f"cannot write {path}: {err.strerror or err}. Its previous content is unchanged; "
            "free some space or point MLOPS_HOME elsewhere, then run again."
        ) from err
    finally:
        temporary.unlink(missing_ok=True)


def make_durable(folder: Path) -> None:
    """Make the names in `folder` outlive a power loss; a file's own content is synced already."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def exclusive(lock: Path) -> Generator[None]:
    """Hold `lock` against every other process; waits. The kernel frees it if this one dies."""
    ensure_folder(lock.parent)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def is_held(lock: Path) -> bool:
    """Whether a process holds `lock` now."""
    try:
        with lock.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


@contextmanager
def folder_aside(parent: Path) -> Generator[Path]:
    """A folder below `parent` for what is needed now; what killed processes left is deleted."""
    with exclusive(parent.with_name(f"{parent.name}.lock")):
        for left in ensure_folder(parent).iterdir():
            if left.is_dir() and not is_held(left / _IN_USE):
                shutil.rmtree(left, ignore_errors=True)
        own = tempfile.TemporaryDirectory(dir=parent)
        held = ExitStack()
        held.enter_context(exclusive(Path(own.name, _IN_USE)))
    with own, held:
        yield Path(own.name)


@contextmanager
def exclusive_as(lock: Path, who: str, wait: Callable[[str], object]) -> Generator[None]:
    """The same; the file says `who` holds it, and `wait` is told who does where we must wait."""
    ensure_folder(lock.parent)
    with lock.open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            wait(handle.read() or "another process")
            fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(OSError):  # of a full disk: then a waiting process is told of nobody
            handle.truncate(0)
            handle.write(who)
            handle.flush()
        yield
