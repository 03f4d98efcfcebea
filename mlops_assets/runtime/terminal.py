"""Lines for a person, and on a terminal a last one that says what takes so long.

Lines go where the command was started, also while Dagster has put files in place of stdout and
stderr, as it does around each step. What is said is not decided here.
"""

import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

_EVERY_SECONDS = 1.0
_CLEAR = b"\r\x1b[K"
_WIDTH = 78


class _Terminal:
    """Stdout and stderr as they were when the command began."""

    def __init__(self, doing: str, *, document: bool) -> None:
        self._document = document
        self._files = {False: os.dup(sys.stdout.fileno()), True: os.dup(sys.stderr.fileno())}
        self._live = os.isatty(self._files[True]) and os.environ.get("TERM") != "dumb"
        self._writes, self._over = threading.Lock(), threading.Event()
        self.doing(doing)
        self._thread = threading.Thread(target=self._tell, daemon=True)
        if self._live:
            self._thread.start()

    def doing(self, what: str, *, goes_on: bool = False) -> None:
        self._what = what
        if not goes_on:
            self._since = time.monotonic()

    def line(self, text: str, *, error: bool) -> None:
        with self._writes:
            if self._live:
                os.write(self._files[True], _CLEAR)
            _write(self._files[error or self._document], f"{text}\n".encode(errors="replace"))

    def document(self, text: str) -> None:
        with self._writes:
            _write(self._files[False], f"{text}\n".encode())

    def close(self) -> None:
        self._over.set()
        if self._live:
            self._thread.join()
            os.write(self._files[True], _CLEAR)
        for file in self._files.values():
            os.close(file)

    def _tell(self) -> None:
        while not self._over.wait(_EVERY_SECONDS):
            if not self._what:
                continue
            said = f"{self._what}, {time.monotonic() - self._since:.0f} s"[:_WIDTH]
            with self._writes:
                os.write(self._files[True], _CLEAR + said.encode(errors="replace"))


_terminals: list[_Terminal] = []
"""The one that is open, if any."""


@contextmanager
def watched(doing: str, *, document: bool = False) -> Generator[None]:
    """While the body runs, a terminal shows what is being done and for how long.

    Elsewhere, e.g. in a file or a pipe, there are lines only.

    Args:
        doing: What, until `doing` says otherwise.
        document: Whether stdout is for a document alone; every line goes to stderr then.
    """
    try:
        terminal = _Terminal(doing, document=document)
    except (OSError, ValueError):  # no files: a caller has put something else in their place
        yield
        return
    _terminals.append(terminal)
    try:
        yield
    finally:
        _terminals.remove(terminal)
        terminal.close()


def doing(what: str, *, goes_on: bool = False) -> None:
    """Say from now on that this is being done, if somebody watches; empty: nothing is.

    The time is counted from now, or from before where it only `goes_on`.
    """
    for terminal in _terminals:
        terminal.doing(what, goes_on=goes_on)


def line(text: str, *, error: bool = False) -> None:
    """Write a line at once, to stdout or stderr; a reader that is gone ends us as usual."""
    for terminal in _terminals:
        terminal.line(text, error=error)
        return
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


def document(text: str) -> None:
    """Write what a program reads, to stdout."""
    for terminal in _terminals:
        terminal.document(text)
        return
    print(text, flush=True)  # noqa: T201


def _write(file: int, content: bytes) -> None:
    while content:
        content = content[os.write(file, content) :]
