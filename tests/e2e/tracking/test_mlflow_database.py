"""MLflow's own file: made whole, made again when only half was made, and right where it stands."""

import multiprocessing
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mlops_assets.errors import TrackingError
from resources.tracking.database import make_ready
from resources.tracking.store import MLflowStore

pytestmark = pytest.mark.e2e


def store(folder: Path) -> MLflowStore:
    return MLflowStore(
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=str(folder / "mlflow")
    )


def query(database: Path, sql: str) -> list[str]:
    with closing(sqlite3.connect(database)) as connection, connection:
        return [str(row[0]) for row in connection.execute(sql)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    make_ready(folder / "mlflow.db", str(folder / "mlflow"))
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    """A store of one's own with one finished run that has a text beside it."""
    folder = tmp_path / "home"
    shutil.copytree(made, folder)
    keep_text(folder, "first")
    return folder


def keep_text(folder: Path, text: str) -> str:
    with store(folder).connected() as mlflow:
        client = mlflow.MlflowClient()
        run = client.create_run(store(folder).experiment(client, "loans"))
        client.log_text(run.info.run_id, text, "said.txt")
        return run.info.run_id


def texts(folder: Path) -> list[str]:
    with store(folder).connected() as mlflow:
        runs = mlflow.search_runs(experiment_names=["loans"], output_format="list")
        return sorted(mlflow.artifacts.load_text(f"{r.info.artifact_uri}/said.txt") for r in runs)


def empty(database: Path) -> None:
    database.write_bytes(b"")


def first_table_only(database: Path) -> None:
    database.unlink()
    query(database, "CREATE TABLE experiments (experiment_id INTEGER NOT NULL)")


def half_of_the_tables(database: Path) -> None:
    for table in ("webhooks", "webhook_events", "trace_info", "experiment_tags"):
        query(database, f"DROP TABLE {table}")
    query(database, "UPDATE alembic_version SET version_num = 'de4033877273'")


def no_revision(database: Path) -> None:
    query(database, "DELETE FROM alembic_version")
    query(database, "DELETE FROM experiment_tags")
    query(database, "DROP TABLE spans")


@pytest.mark.parametrize("kill", [empty, first_table_only, half_of_the_tables, no_revision])
def test_half_a_store_is_made_again(
    made: Path, tmp_path: Path, kill: Callable[[Path], None]
) -> None:
    shutil.copy(made / "mlflow.db", tmp_path)
    kill(tmp_path / "mlflow.db")
    keep_text(tmp_path, "works")
    assert texts(tmp_path) == ["works"]


def test_half_a_store_with_runs_in_it_is_kept(home: Path) -> None:
    home = home.rename(home.with_name("not open yet in this process"))
    database = home / "mlflow.db"
    query(database, "DELETE FROM experiment_tags")
    query(database, "UPDATE alembic_version SET version_num = 'de4033877273'")
    before = database.read_bytes()
    with pytest.raises(TrackingError, match=r"runs in it.*mlflow db upgrade") as caught:
        texts(home)
    assert len(str(caught.value).splitlines()) == 1
    assert database.read_bytes() == before


def test_a_store_that_mlflow_cannot_open_is_one_sentence(home: Path) -> None:
    home = home.rename(home.with_name("not open yet in this process"))
    query(home / "mlflow.db", "DELETE FROM alembic_version")
    query(home / "mlflow.db", "DROP TABLE spans")
    with pytest.raises(TrackingError, match=r"mlflow\.db refused: .*duplicate column") as caught:
        texts(home)
    assert len(str(caught.value).splitlines()) == 1


def test_damage_is_one_sentence_and_nothing_is_deleted(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"no database at all " * 100)
    with pytest.raises(TrackingError, match=r"not a database.*Restore") as caught:
        texts(tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert database.read_bytes().startswith(b"no database")


_KILLED = """
import os, sys, threading, time
from pathlib import Path
from resources.tracking.database import make_ready
import mlflow  # so that the moment counts from the migrations on
threading.Timer(float(sys.argv[2]), lambda: os._exit(9)).start()
make_ready(Path(sys.argv[1], "mlflow.db"), sys.argv[1] + "/mlflow")
time.sleep(60)
"""


@pytest.mark.parametrize("seconds", [0.3, pytest.param(0.9, marks=pytest.mark.thorough)])
def test_a_kill_while_it_is_made_leaves_nothing_in_the_way(tmp_path: Path, seconds: float) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _KILLED, str(tmp_path), str(seconds)]
    assert subprocess.run(command, check=False).returncode == 9
    keep_text(tmp_path, "works")
    assert texts(tmp_path) == ["works"]
    assert {p.name for p in tmp_path.iterdir()} == {"mlflow", "mlflow.db", "mlflow.lock"}


def test_processes_that_come_first_at_once_all_succeed(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(make_ready, [(tmp_path / "mlflow.db", str(tmp_path / "mlflow"))] * 3)
    assert texts_of_none(tmp_path) == []


def texts_of_none(folder: Path) -> list[str]:
    with store(folder).connected() as mlflow:
        return mlflow.search_runs(search_all_experiments=True, output_format="list")


def test_a_moved_store_reads_and_writes_where_it_is(home: Path, tmp_path: Path) -> None:
    moved = home.rename(tmp_path / "ein anderer Ört, 100 % & more")
    keep_text(moved, "second")
    assert texts(moved) == ["first", "second"]
    assert not home.exists()


def test_one_moved_below_where_it_was_is_changed_once(home: Path) -> None:
    aside = home.rename(home.with_name("aside"))
    home.mkdir()
    below = aside.rename(home / "below")
    keep_text(below, "second")
    assert texts(below) == ["first", "second"]
    assert {p.name for p in home.iterdir()} == {"below"}


def test_a_copy_leaves_the_original_as_it_was(home: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(home, tmp_path / "copy"))
    before = {p: p.read_bytes() for p in home.rglob("*") if p.is_file()}
    keep_text(copy, "second")
    assert texts(copy) == ["first", "second"]
    assert {p: p.read_bytes() for p in home.rglob("*") if p.is_file()} == before
    assert texts(home) == ["first"]


def test_another_name_of_the_same_folder_changes_nothing(home: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(home, target_is_directory=True)
    before = (home / "mlflow.db").read_bytes()
    assert texts(link) == ["first"]
    assert (home / "mlflow.db").read_bytes() == before


def test_artifacts_that_are_kept_elsewhere_stay_there(made: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(made, tmp_path / "home"))
    uri = f"sqlite:///{home / 'mlflow.db'}"
    elsewhere = MLflowStore(tracking_uri=uri, artifacts=str(tmp_path / "big"))
    with elsewhere.connected() as mlflow:
        client = mlflow.MlflowClient()
        run = client.create_run(elsewhere.experiment(client, "loans"))
        client.log_text(run.info.run_id, "kept", "said.txt")
    assert texts(home.rename(tmp_path / "moved")) == ["kept"]


def test_nothing_points_into_the_working_directory(made: Path) -> None:
    (location,) = query(made / "mlflow.db", "SELECT artifact_location FROM experiments")
    assert location == f"{(made / 'mlflow').as_uri()}/0"
