"""What a person at a terminal sees while something takes long, and that a file sees lines only."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable

SLOW = """
import os, sys, time
from mlops_assets.runtime import terminal
with terminal.watched("slow work", document="--json" in sys.argv):
    time.sleep(1.5)
    null = os.open(os.devnull, os.O_WRONLY)
    before = os.dup(1)
    os.dup2(null, 1)  # as Dagster does around a step
    terminal.line("a step ended")
    os.dup2(before, 1)
    terminal.line("something is wrong", error=True)
    terminal.document("{}")
"""


def piped(*arguments: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", SLOW, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


def on_terminal(run: Callable[[int], None]) -> str:
    ours, theirs = pty.openpty()
    try:
        run(theirs)
    finally:
        os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # how Linux says that nobody writes any more
        pass
    finally:
        os.close(ours)
    return said.decode()


def test_a_pipe_gets_lines_and_nothing_else() -> None:
    assert piped() == ("a step ended\n{}\n", "something is wrong\n")


def test_beside_a_document_every_line_is_on_stderr() -> None:
    assert piped("--json") == ("{}\n", "a step ended\nsomething is wrong\n")


def test_a_terminal_is_told_what_takes_so_long_and_it_is_gone_afterwards() -> None:
    def run(terminal: int) -> None:
        environment = {**os.environ, "TERM": "xterm"}
        command = [sys.executable, "-c", SLOW]
        subprocess.run(command, stdout=terminal, stderr=terminal, env=environment, check=True)

    said = on_terminal(run)
    assert "\r\x1b[Kslow work, 1 s\r\x1b[Ka step ended\r\n" in said
    assert said.endswith("{}\r\n\r\x1b[K")
