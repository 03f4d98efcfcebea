"""Files are written whole or not at all; folders that cannot be written are named."""

import multiprocessing
import resource
import signal
import threading
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from mlops_assets.errors import StateError
from mlops_assets.runtime.atomic import (
    ensure_folder,
    exclusive,
    exclusive_as,
    folder_aside,
    write_atomically,
)


def test_a_writer_that_fails_leaves_the_previous_content(tmp_path: Path) -> None:
    file = tmp_path / "value"
    write_atomically(file, lambda path: path.write_text("good"))

    def fail(path: Path) -> None:
        path.write_text("half")
        raise KeyError("reason")

    with pytest.raises(KeyError, match="reason"):
        write_atomically(file, fail)

    assert file.read_text() == "good"
    assert [path.name for path in tmp_path.iterdir()] == ["value"]


def test_a_full_disk_leaves_the_previous_content(tmp_path: Path) -> None:
    """The limit on file size stops a write in its middle, as a full disk does."""
    file = tmp_path / "value"
    write_atomically(file, lambda path: path.write_text("good"))
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StateError, match=r"value.*previous content is unchanged.*free some"):
            write_atomically(file, lambda path: path.write_bytes(b"x" * 5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert file.read_text() == "good"
    assert [path.name for path in tmp_path.iterdir()] == ["value"]


@pytest.mark.parametrize("folder", ["/proc/nowhere/state", "/sys/state"])
def test_a_read_only_home_is_named(folder: str) -> None:
    """Neither can be written by anybody, root included."""
    for attempt in (
        lambda: ensure_folder(Path(folder)),
        lambda: write_atomically(Path(folder, "value"), lambda path: path.write_text("x")),
    ):
        with pytest.raises(StateError, match=f"{folder}.*MLOPS_HOME"):
            attempt()


def _count(folder: Path) -> None:
    for _ in range(100):
        with exclusive(folder / "lock"):
            counter = folder / "counter"
            counter.write_text(str(int(counter.read_text()) + 1))


def test_a_lock_keeps_other_processes_out(tmp_path: Path) -> None:
    (tmp_path / "counter").write_text("0")
    processes = [multiprocessing.Process(target=_count, args=(tmp_path,)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert (tmp_path / "counter").read_text() == "400"


def test_who_waits_for_a_lock_is_told_who_holds_it(tmp_path: Path) -> None:
    lock, told, waits = tmp_path / "a.lock", list[str](), threading.Event()

    def wait() -> None:
        def tell(other: str) -> None:
            told.append(other)
            waits.set()

        with exclusive_as(lock, "the second", tell):
            told.append(lock.read_text())

    second = threading.Thread(target=wait)
    with exclusive_as(lock, "the first", told.append):
        second.start()
        assert waits.wait(10)
        assert told == ["the first"]
    second.join()
    assert told == ["the first", "the second"]


def keep_aside(parent: Path, ready: Event) -> None:
    with folder_aside(parent) as folder:
        (folder / "rows").write_text("much")
        ready.set()
        signal.pause()


def test_what_a_killed_process_left_aside_is_deleted_by_the_next(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = [spawn.Event(), spawn.Event()]
    killed, living = (
        spawn.Process(target=keep_aside, args=(tmp_path / "spill", one)) for one in ready
    )
    for process, one in zip((killed, living), ready, strict=True):
        process.start()
        assert one.wait(30)
    killed.kill()
    killed.join()
    with folder_aside(tmp_path / "spill") as own:
        (other,) = {*(tmp_path / "spill").iterdir()} - {own}
        assert (other / "rows").exists(), "of a process that lives it is left"
    living.kill()
    living.join()
    with folder_aside(tmp_path / "spill"):
        pass
    assert list((tmp_path / "spill").iterdir()) == []
