"""Records compared by name, hashes of predictions, and the code's state in git."""

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.errors import ReproductionError
from mlops_assets.ml.training.reproduction import differences, moved_packages, scores_hash
from mlops_assets.records.data import DatasetVersion
from mlops_assets.records.reproduction import SourceState, TrainingRecord
from resources.source_code import checked_out, source_state

RAW = DatasetVersion(md5="a" * 32, files=("raw.csv",), size_bytes=1, pointer="data/m/raw.csv.dvc")
RECORD = TrainingRecord(
    raw=RAW,
    checked_at="2026-01-01T00:00:00+00:00",
    code=SourceState(sha="1" * 40, state="clean"),
    lock_sha256="lock",
    python="3.11.9",
    seed=0,
    params={"C": 1.0},
    settings={"training": {"seed": 0, "params": {"C": 1.0}}},
    prediction_sha256="one",
)


def named(lock: str = "lock", moved: Any = None, **changes: Any) -> list[tuple[str, str]]:
    found = differences(
        RECORD, RECORD.model_copy(update=changes), lock_sha256=lock, moved=moved or {}
    )
    return [(each.what, each.detail) for each in found]


def test_an_equal_repetition_has_no_difference() -> None:
    assert named() == []


@pytest.mark.parametrize(
    ("changes", "what", "said"),
    [
        ({"raw": RAW.model_copy(update={"md5": "b" * 32})}, "data", "b" * 32),
        ({"code": SourceState(sha="2" * 40, state="clean")}, "code", "2" * 40),
        ({"lock": "other"}, "lock file", "sha256 lock recorded, other found"),
        ({"moved": {"numpy": ("2.1", "2.2")}}, "lock file", "numpy 2.1 recorded, 2.2 installed"),
        ({"python": "3.12.1"}, "python", "3.11.9 recorded, 3.12.1 runs"),
        ({"settings": {"training": {"seed": 0, "params": {"C": 2.0}}}}, "configuration",
         "training.params.C: 1.0 recorded, 2.0 found"),
        ({"seed": 3}, "seed", "0 recorded, 3 found"),
        ({"params": {"C": 0.5}}, "tuning", "C: 1.0 recorded, 0.5 found"),
        ({"engine": "duckdb://"}, "engine", "by arrays recorded, by duckdb:// found"),
        ({"prediction_sha256": "two"}, "predictions", "one recorded, two found"),
    ],
)  # fmt: skip
def test_each_difference_is_named(changes: dict[str, Any], what: str, said: str) -> None:
    ((found, detail),) = named(**changes)
    assert found == what
    assert said in detail


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([0.1, 0.9 + 1e-10], []),
        ([0.1, 0.9 + 1e-8], ["up to 1e-08 apart, 1 of 2"]),
        ([0.1], ["sha256 one recorded, two found"]),
    ],
)
def test_scores_of_an_engine_that_is_not_exact_are_compared_as_numbers(
    found: list[float], said: list[str]
) -> None:
    scores = np.array([0.1, 0.9]), np.array(found)
    repeated = RECORD.model_copy(update={"prediction_sha256": "two"})
    different = differences(RECORD, repeated, lock_sha256="lock", moved={}, scores=scores)
    assert [each.detail for each in different] == said


def test_what_no_training_reads_is_no_difference() -> None:
    others = ("description", "owners", "card", "deployment", "monitoring", "schedule", "compute")
    assert named(settings=RECORD.settings | {block: {"port": 1} for block in others}) == []
    assert set(others) < set(ModelSettings.model_fields)
    for block in set(ModelSettings.model_fields) - set(others):
        assert named(settings=RECORD.settings | {block: 1}) != []


@pytest.mark.parametrize("state", ["changed", "no git"])
def test_code_that_is_lost_is_said(state: Any) -> None:
    record = RECORD.model_copy(update={"code": SourceState(sha=None, state=state)})
    ((what, _),) = [
        (each.what, each.detail)
        for each in differences(record, record, lock_sha256="lock", moved={})
    ]
    assert what == "code"


def test_a_package_may_be_installed_in_any_version_that_a_marker_pins() -> None:
    lock = """\
numpy==2.1 ; python_version < '3.12' \\
    --hash=sha256:00
numpy==2.5 ; python_version >= '3.12' \\
    --hash=sha256:00
feast[duckdb]==0.67.0 \\
typing_extensions==4.1
not-here==1.0
"""
    installed = {"numpy": "2.1", "Feast": "0.66.0", "typing-extensions": "4.2", "other": "1"}
    assert moved_packages(lock, installed) == {
        "feast": ("0.67.0", "0.66.0"),
        "typing-extensions": ("4.1", "4.2"),
    }


def test_the_hash_knows_the_values_their_order_and_the_shape() -> None:
    scores = np.array([[0.25], [0.5]])
    assert scores_hash(scores) == scores_hash(np.asfortranarray(scores.astype(">f8")))
    others = (scores[::-1], scores.T, np.nextafter(scores, 1))
    assert scores_hash(scores) not in {scores_hash(other) for other in others}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A committed project in a subfolder of its repository."""
    root = tmp_path / "repository" / "project"
    (root / "data").mkdir(parents=True)
    (root / "code.py").write_text("one = 1\n", encoding="utf-8")
    git(root.parent, "init", "-q")
    git(root.parent, "add", "-A")
    git(root.parent, "-c", "user.name=T", "-c", "user.email=t@localhost", "commit", "-qm", "x")
    return root


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, check=True)
    return done.stdout.decode()


def test_a_committed_tree_is_clean_whatever_data_lies_in_it(project: Path) -> None:
    (project / "data" / "raw.csv.dvc").write_text("outs", encoding="utf-8")
    (project / ".env").write_text("PASSWORD=secret", encoding="utf-8")
    state = source_state(project)
    assert state.state == "clean"
    assert state.sha == git(project, "rev-parse", "HEAD").strip()


def test_uncommitted_code_is_restored_from_its_patch(project: Path) -> None:
    (project / "code.py").write_text("one = 'ä'\n", encoding="utf-8")
    (project / "new.py").write_text("two = 2\n", encoding="utf-8")
    (project / ".env").write_text("PASSWORD=secret", encoding="utf-8")
    state = source_state(project)
    assert state.state == "patched"
    assert "secret" not in state.patch
    git(project, "checkout", "-q", "code.py")
    (project / "new.py").unlink()

    with checked_out(project, state) as tree:
        assert (tree / "code.py").read_text(encoding="utf-8") == "one = 'ä'\n"
        assert (tree / "new.py").read_text(encoding="utf-8") == "two = 2\n"
        assert not (project / "new.py").exists()
    assert not tree.exists()
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_the_worktree_is_removed_when_the_body_raises(project: Path) -> None:
    with pytest.raises(KeyboardInterrupt), checked_out(project, source_state(project)) as tree:
        raise KeyboardInterrupt
    assert not tree.exists()
    assert len(git(project, "worktree", "list").splitlines()) == 1


def test_changes_too_large_to_keep_are_said(project: Path) -> None:
    (project / "code.py").write_text("x = 1\n" * 200_000, encoding="utf-8")
    state = source_state(project)
    assert (state.state, state.patch) == ("changed", "")


def test_a_project_without_git_uses_the_code_of_the_day(tmp_path: Path) -> None:
    state = source_state(tmp_path)
    assert state == SourceState(sha=None, state="no git")
    with checked_out(tmp_path, state) as tree:
        assert tree == tmp_path


def test_a_commit_that_is_not_here_is_named(project: Path) -> None:
    lost = SourceState(sha="0" * 40, state="clean")
    expected = pytest.raises(ReproductionError, match=r"no commit 0000000.*git fetch")
    with expected, checked_out(project, lost):
        pass
