"""`mlops reproduce` in a git repository of its own, whose data and code changed since.

Twenty versions, with changes between them, are `benchmarks/reproduce.py`.
"""

import hashlib
import signal
import time
from pathlib import Path

import pytest

from tests.support.services.tiny_repository import TinyRepository

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> TinyRepository:
    """A version of data and code, of which a part was never committed; both changed since."""
    made = TinyRepository.create(tmp_path_factory.mktemp("tiny"))
    made.change_code(70)
    made.train()
    made.change_code(55)
    made.change_yaml(leaves=3)
    made.commit("Other code")
    made.change_data(1)
    assert made.mlops("env").returncode == 0  # configures DAGSTER_HOME once
    return made


def snapshot(folder: Path) -> dict[str, str]:
    """Every file but what reading sqlite or git leaves, and its hash."""
    return {
        str(file.relative_to(folder)): hashlib.md5(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and ".git" not in file.parts and "__pycache__" not in file.parts
    }


def temporary_folders(where: Path) -> list[str]:
    return sorted(path.name for path in where.iterdir())


def test_a_version_is_equal_though_all_has_changed_and_nothing_live_was_touched(
    repository: TinyRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = snapshot(repository.root), snapshot(repository.state)

    done = repository.mlops("reproduce", "loans@1")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("loans@1: equal")
    assert (snapshot(repository.root), snapshot(repository.state)) == before
    assert len(repository.git("worktree", "list").splitlines()) == 1
    assert [name for name in temporary_folders(tmp_path) if name.startswith(("re", "code"))] == []


def test_ctrl_c_leaves_nothing_behind(
    repository: TinyRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = repository.popen("reproduce", "loans@1")
    deadline = time.monotonic() + 60
    while len(repository.git("worktree", "list").splitlines()) == 1:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(repository.git("worktree", "list").splitlines()) == 1
    assert [name for name in temporary_folders(tmp_path) if name.startswith(("re", "code"))] == []


def test_a_flipped_byte_is_named_before_anything_is_trained(repository: TinyRepository) -> None:
    blob = repository.newest_blob()
    expected = hashlib.md5(blob.read_bytes()).hexdigest()
    content = bytearray(blob.read_bytes())
    content[100] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(content)

    done = repository.mlops("reproduce", "loans@1")

    assert done.returncode == 1
    assert f"loans.csv: md5 {expected} expected" in done.stderr
    assert f"found {hashlib.md5(content).hexdigest()}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
