"""What the command line says when the disk is full, whoever notices it first."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from mlops_assets.cli import failures

_SEEN = [
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
    sqlite3.OperationalError("database or disk is full"),
    RuntimeError("(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT]"),
]


@pytest.mark.parametrize("err", _SEEN, ids=repr)
def test_a_full_disk_is_one_sentence_and_asks_for_no_trace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, err: Exception
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    said = failures.said_of(err)
    assert said.startswith(f"StateError: no space is left for {tmp_path} ")
    assert said.endswith("free some space, then run again")
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_another_error_keeps_its_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    said = failures.said_of(sqlite3.OperationalError("disk I/O error"))
    assert said.startswith("OperationalError: disk I/O error; nobody foresaw this")
    (trace,) = (tmp_path / "errors").iterdir()
    assert "disk I/O error" in trace.read_text(encoding="utf-8")


def test_a_trace_that_cannot_be_kept_costs_no_second_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "errors").write_text("in the way")
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    said = failures.said_of(ValueError("odd"))
    assert said.startswith("ValueError: odd; nobody foresaw this, and its trace cannot be kept: ")
    assert len(said.splitlines()) == 1
