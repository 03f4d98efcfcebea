"""Which folder is the user's project: named, found upwards, or the checkout; what is not one."""

import os
from pathlib import Path

import pytest

from mlops_assets.errors import ConfigError
from mlops_assets.home import FRAMEWORK_ROOT, home, models_folder, project
from resources.source_code import code_digest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLOPS_PROJECT", raising=False)
    monkeypatch.delenv("MLOPS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mlops.yaml").touch()
    return folder


def test_without_one_it_is_the_checkout(tmp_path: Path) -> None:
    assert project() == FRAMEWORK_ROOT
    assert models_folder() == FRAMEWORK_ROOT / "mlops_assets" / "defs"


def test_inside_the_checkout_it_is_the_checkout_whatever_stands_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = made(tmp_path) / "src" / "framework"
    (checkout / "docs").mkdir(parents=True)
    (checkout / "pyproject.toml").touch()
    monkeypatch.setattr("mlops_assets.home.FRAMEWORK_ROOT", checkout)
    monkeypatch.chdir(checkout / "docs")
    assert project() == checkout
    monkeypatch.chdir(checkout.parent)
    assert project() == tmp_path


def test_a_working_directory_that_was_deleted_is_in_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert project() == FRAMEWORK_ROOT
    monkeypatch.chdir(tmp_path)  # for what comes after


@pytest.mark.parametrize("name", ["shop", "a shop", "größe 客户"])
def test_it_is_found_from_any_folder_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    made(tmp_path)
    inner = made(tmp_path / name)
    (inner / "defs" / "x").mkdir(parents=True)
    monkeypatch.chdir(inner / "defs" / "x")
    assert project() == inner
    assert models_folder() == inner / "defs"
    assert home() == inner / ".mlops"


def test_the_one_that_is_named_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)
    named = made(tmp_path / "other")
    monkeypatch.setenv("MLOPS_PROJECT", str(named))
    assert project() == named
    monkeypatch.setenv("MLOPS_PROJECT", str(FRAMEWORK_ROOT))
    assert project() == FRAMEWORK_ROOT
    monkeypatch.setenv("MLOPS_PROJECT", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"nowhere' holds no mlops\.yaml; name"):
        project()


def test_an_installed_framework_without_a_project_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_assets.home.FRAMEWORK_ROOT", tmp_path / "site-packages")
    with pytest.raises(ConfigError, match=r"no project: neither .* `mlops init DATA"):
        project()


@pytest.mark.parametrize("file", ["resources/__init__.py", "jobs.py", "mlops_assets/__init__.py"])
def test_a_package_with_a_name_of_ours_is_named(tmp_path: Path, file: str) -> None:
    path = made(tmp_path) / file
    path.parent.mkdir(exist_ok=True)
    path.touch()
    with pytest.raises(ConfigError, match=f"{file} would be imported .*; rename it"):
        project()
    path.rename(path.with_suffix(".txt"))
    assert project() == tmp_path  # a folder of files hides nothing


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_what_a_stranger_put_above_us_is_not_taken(tmp_path: Path) -> None:
    os.chown(made(tmp_path) / "mlops.yaml", 4711, 4711)
    with pytest.raises(ConfigError, match=r"another user, number 4711; set MLOPS_PROJECT="):
        project()


def test_its_own_python_is_part_of_the_code_that_a_version_was_made_by(tmp_path: Path) -> None:
    made(tmp_path)
    before = code_digest(tmp_path)
    (tmp_path / "venv" / "lib").mkdir(parents=True)
    (tmp_path / "venv" / "lib" / "other.py").touch()
    (tmp_path / "notes.txt").touch()
    assert code_digest(tmp_path) == before
    for file in ("loading.py", "shop/__init__.py", "shop/deep/data.py", "defs/churn/own.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x = 1")
        after = code_digest(tmp_path)
        assert after != before
        before = after
