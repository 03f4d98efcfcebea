"""The tutorial, in an empty folder: every command runs, and prints what the page shows."""

import socket
from pathlib import Path

import pytest

from docs.walkthrough import Step, WalkthroughError, steps, tutorial, walk
from tests.support.servers import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]


def test_the_tutorial_does_what_it_shows(tmp_path: Path) -> None:
    port = free_port()
    *most, stop = tutorial(port)
    try:
        walk(most, tmp_path)
    finally:
        walk([stop], tmp_path)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_what_is_not_printed_or_fails_is_noticed(tmp_path: Path) -> None:
    text = "```console\n$ cat <<'END'\na 1 b\nEND\na ... b\n$ echo 2\n3\n```\n"
    assert steps(text) == [Step("cat <<'END'\na 1 b\nEND", ("a ... b",)), Step("echo 2", ("3",))]
    with pytest.raises(WalkthroughError, match=r"exit code 0; nowhere is \['3'\]"):
        walk(steps(text), tmp_path)
    with pytest.raises(WalkthroughError, match="exit code 1"):
        walk([Step("false", ())], tmp_path)
    with pytest.raises(WalkthroughError, match="ended early"):
        walk([Step("exit 0", ())], tmp_path)
