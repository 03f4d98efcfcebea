"""A bucket of an S3 server: data versions and MLflow's files in it, the server away and back."""

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import cast

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.cli.facts.doctor import files_elsewhere
from mlops_assets.errors import BucketError, BucketUnavailableError, ForeignBucketError
from mlops_assets.ml.frames import TIMESTAMP
from resources.bucket import objects
from resources.dagster.io import ParquetStorage
from resources.datasets.versions import DvcDatasets
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking
from tests.support.postgres_server import PostgresServer
from tests.support.s3_server import S3Server
from tests.support.served_models import VIEW, online_frame
from tests.support.servers import free_port

pytestmark = pytest.mark.e2e


def datasets(folder: Path, address: str) -> DvcDatasets:
    return DvcDatasets(
        root=str(folder / "project"),
        cache=str(folder / "dvc" / "cache"),
        quarantine=str(folder / "quarantine"),
        bucket=f"{address}/dvc",
    )


def tracking(folder: Path, address: str) -> MLflowTracking:
    return MLflowTracking(
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=f"{address}/mlflow"
    )


def deliver(folder: Path, *contents: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    files = [folder / f"{number}.csv" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_text(content)
    return files


@pytest.mark.parametrize("contents", [["a\n1\n"], ["a\n1\n", "a\n2\n", "a\n2\n"]])
def test_any_data_version_is_got_again_by_a_machine_that_has_nothing(
    s3: S3Server, address: str, tmp_path: Path, contents: list[str]
) -> None:
    here = datasets(tmp_path / "here", address)
    first = here.add("m", deliver(tmp_path / "source", *contents))
    kept = s3.contents(address)
    here.add("m", deliver(tmp_path / "source", *contents[:-1], "a\n3\n"))
    assert s3.contents(address).keys() > kept.keys()

    elsewhere = datasets(tmp_path / "elsewhere", address)
    with elsewhere.open(first) as files:
        assert [file.read_text() for file in files] == contents
        assert {file.stat().st_mode & 0o777 for file in files} == {0o400}
    assert elsewhere.damaged_files(first) == []


def test_a_file_more_costs_what_it_is_and_not_all_of_them(
    address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = datasets(tmp_path, address)
    contents = [f"a\n{number}\n" for number in range(100)]
    store.add("m", deliver(tmp_path / "source", *contents[:-1]))
    with caplog.at_level(logging.INFO, "werkzeug"):
        caplog.clear()
        store.add("m", deliver(tmp_path / "source", *contents))
        asked = [record for record in caplog.messages if " /shop-" in record]
    assert len(asked) <= 12, "listing and file: a look and a put; the moment of the delivery"


def test_it_is_a_remote_of_dvc(address: str, tmp_path: Path) -> None:
    version = datasets(tmp_path, address).add("m", deliver(tmp_path / "source", "a\n", "b\n"))
    (tmp_path / "dvc" / "cache").rename(tmp_path / "lost")
    dvc = str(Path(sys.executable).with_name("dvc"))
    project = tmp_path / "project"
    for command in (["remote", "add", "-d", "bucket", f"{address}/dvc"], ["fetch"]):
        subprocess.run([dvc, *command], cwd=project, check=True, capture_output=True)
    assert datasets(tmp_path, "").damaged_files(version) == []


def test_a_server_that_comes_back_was_waited_for(
    s3: S3Server, address: str, tmp_path: Path
) -> None:
    store = datasets(tmp_path, address)
    store.add("m", deliver(tmp_path / "source", "a\n1\n"))
    s3.end()
    back = threading.Timer(3, s3.start)
    back.start()
    store.add("m", deliver(tmp_path / "source", "a\n2\n"))
    back.join()
    kept = {content for key, content in s3.contents(address).items() if "/md5/" in key}
    assert kept == {b"a\n1\n", b"a\n2\n"}


def test_a_server_that_is_not_there_is_one_sentence_at_once(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", nowhere := f"http://127.0.0.1:{free_port()}")
    with pytest.raises(BucketUnavailableError, match=f"cannot be asked: .*{nowhere}") as caught:
        datasets(tmp_path, address).add("m", deliver(tmp_path / "source", "a\n"))
    assert len(str(caught.value).splitlines()) == 1
    with (
        pytest.raises(BucketUnavailableError),
        tracking(tmp_path, address).run("shop", {}) as run,
    ):
        run.log_text("said.txt", "kept")


def test_the_doctor_asks_the_bucket(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_BUCKET", address)
    (found,) = files_elsewhere()
    assert (found.good, found.said) == (True, f"{address} answers")
    monkeypatch.setenv("MLOPS_BUCKET", address.removesuffix("/mlops") + "-x")
    (found,) = files_elsewhere()
    assert not found.good
    assert "NoSuchBucket" in found.said


def test_a_bucket_that_is_not_there_is_permanent(address: str, tmp_path: Path) -> None:
    with pytest.raises(BucketError, match="NoSuchBucket") as caught:
        datasets(tmp_path, f"{address[:-7]}x/y").add("m", deliver(tmp_path / "source", "a\n"))
    assert not isinstance(caught.value, BucketUnavailableError)


def test_files_of_runs_go_to_the_bucket_also_of_an_experiment_that_began_in_a_folder(
    s3: S3Server, address: str, tmp_path: Path
) -> None:
    uri, folder = f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path / "mlflow")
    before = MLflowTracking(tracking_uri=uri, artifacts=folder)
    with before.run("shop", {}) as old:
        old.log_text("said.txt", "in a folder")
    now = tracking(tmp_path, address)
    with now.run("shop", {}) as new:
        new.log_text("said.txt", "in the bucket")

    assert new.read_text("said.txt") == "in the bucket"
    assert list(s3.contents(address).values()) == [b"in the bucket"]
    assert old.read_text("said.txt") == "in a folder"
    with before.run("shop", {}) as again:
        again.log_text("said.txt", "in a folder again")
    assert len(s3.contents(address)) == 1


def test_a_run_of_mlflow_waits_for_a_server_that_comes_back(
    s3: S3Server, address: str, tmp_path: Path
) -> None:
    with tracking(tmp_path, address).run("shop", {}) as run:
        run.log_text("before.txt", "1")
        s3.end()
        back = threading.Timer(3, s3.start)
        back.start()
        run.log_text("after.txt", "2")
        back.join()
    assert sorted(s3.contents(address).values()) == [b"1", b"2"]


def storage(folder: Path, address: str) -> ParquetStorage:
    return ParquetStorage(root=str(folder / "assets"), bucket=f"{address}/assets")


def write(store: ParquetStorage, *amounts: int) -> None:
    with dg.build_output_context(asset_key=dg.AssetKey(["shop", "rows"])) as context:
        store.handle_output(context, pd.DataFrame({"amount": amounts}))


def read(store: ParquetStorage) -> list[int]:
    kind = dg.DagsterType(lambda _context, _value: True, "any", typing_type=pd.DataFrame)
    key = dg.AssetKey(["shop", "rows"])
    with dg.build_input_context(asset_key=key, dagster_type=kind) as context:
        return cast("pd.DataFrame", store.load_input(context))["amount"].tolist()


def test_a_value_is_what_was_written_last_on_whatever_machine(address: str, tmp_path: Path) -> None:
    here, elsewhere = storage(tmp_path / "here", address), storage(tmp_path / "elsewhere", address)
    write(here, 1)
    assert read(elsewhere) == [1]
    file = tmp_path / "elsewhere" / "assets" / "shop" / "rows.parquet"
    kept = file.stat().st_ino
    assert read(elsewhere) == [1]
    assert file.stat().st_ino == kept, "what has not changed is not sent again"
    write(here, 2)
    assert read(elsewhere) == [2]
    write(elsewhere, 3)
    assert read(here) == [3]
    file.write_bytes(b"damaged")
    assert read(elsewhere) == [3]


def test_a_value_that_cannot_be_put_there_is_not_here_either(
    s3: S3Server, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = storage(tmp_path, address)
    write(here, 1)
    monkeypatch.setattr(objects, "AWAY_SECONDS", 0)
    s3.end()
    try:
        with pytest.raises(BucketUnavailableError):
            write(here, 2)
        with pytest.raises(BucketUnavailableError):
            read(here)
    finally:
        s3.start()
    assert read(here) == [1]
    assert pd.read_parquet(tmp_path / "assets" / "shop" / "rows.parquet")["amount"].tolist() == [1]


def test_values_of_before_are_read_where_the_bucket_has_none(address: str, tmp_path: Path) -> None:
    write(ParquetStorage(root=str(tmp_path / "assets")), 1)
    assert read(storage(tmp_path, address)) == [1]


def test_the_moment_of_a_delivery_is_the_same_on_every_machine(
    address: str, tmp_path: Path
) -> None:
    files = deliver(tmp_path / "source", "a\n1\n")
    first = datasets(tmp_path / "here", address).add("m", files)
    time.sleep(1)  # it is of whole seconds
    assert datasets(tmp_path / "elsewhere", address).add("m", files) == first


def test_features_are_joined_by_a_machine_that_did_not_publish_them(
    address: str, tmp_path: Path
) -> None:
    def store(folder: str) -> FeastFeatureStore:
        return FeastFeatureStore(root=str(tmp_path / folder), bucket=f"{address}/feast")

    store("here").publish(VIEW, online_frame())
    keys = online_frame()[[VIEW.key.name, TIMESTAMP]]
    expected = store("here").training_rows(VIEW, keys)
    for _ in range(2):
        joined = store("elsewhere").training_rows(VIEW, keys)
        pd.testing.assert_frame_equal(joined, expected)
    registry = Path(store("elsewhere").serving_config(VIEW)["registry"]["path"])
    assert registry.is_relative_to(tmp_path / "elsewhere")


class Machines:
    """Processes that were told of one bucket, each with a state folder of its own."""

    def __init__(self, folder: Path, address: str, patch: pytest.MonkeyPatch) -> None:
        patch.setenv("MLOPS_BUCKET", address)
        self.folder, self.address, self.patch = folder, address, patch

    def start(self, home: str, database: str = "") -> ParquetStorage:
        """The values as a process that was only just started there sees them."""
        objects._ours.clear()
        self.patch.setenv("MLOPS_HOME", str(self.folder / home))
        self.patch.setenv("MLOPS_DATABASE", database)
        return storage(self.folder / home, self.address)


@pytest.fixture
def machines(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Machines:
    return Machines(tmp_path, address, monkeypatch)


def test_a_second_state_folder_is_refused_by_one_sentence_and_changes_nothing(
    s3: S3Server, machines: Machines
) -> None:
    write(machines.start("first"), 1)
    kept = s3.contents(machines.address)
    second = machines.start("second")
    refused = r"belong to another store \(\S+/first\), and this one is \S+/second; set the same "
    for use in (lambda: write(second, 2), lambda: read(second)):
        with pytest.raises(ForeignBucketError, match=refused) as caught:
            use()
        assert len(str(caught.value).splitlines()) == 1
    (found,) = files_elsewhere()
    assert (found.good, "MLOPS_DATABASE" in found.remedy) == (False, True)
    with (
        pytest.raises(ForeignBucketError),
        tracking(machines.folder, machines.address).run("m", {}) as run,
    ):
        run.log_text("said.txt", "of the second")
    assert s3.contents(machines.address) == kept

    assert read(machines.start("first")) == [1]
    (machines.folder / "first").rename(machines.folder / "moved")
    write(machines.start("moved"), 3)
    assert read(machines.start("moved")) == [3]


def test_who_only_looks_at_an_empty_bucket_does_not_take_it(
    s3: S3Server, machines: Machines
) -> None:
    machines.start("first")
    (found,) = files_elsewhere()
    assert found.good
    assert s3.contents(machines.address) == {}
    assert not (machines.folder / "first").exists()
    write(machines.start("second"), 1)
    assert read(machines.start("second")) == [1]


def test_machines_of_one_database_share_a_bucket_and_others_do_not(
    postgres: PostgresServer, machines: Machines
) -> None:
    ours = postgres.new_database()
    write(machines.start("first", ours), 1)
    fresh = machines.start("fresh", ours.replace("127.0.0.1", "localhost"))
    assert read(fresh) == [1]
    write(fresh, 2)
    for database in (postgres.new_database(), ""):
        with pytest.raises(ForeignBucketError, match=r"\(postgresql://127\.0\.0\.1:\d+/\w+\)"):
            write(machines.start("first", database), 3)
    assert read(machines.start("first", ours)) == [2]


def test_of_those_who_come_at_once_one_wins(
    s3: S3Server, machines: Machines, tmp_path: Path
) -> None:
    line = (
        "import sys; from pathlib import Path; from resources.bucket.objects import Bucket;"
        "Bucket(sys.argv[1]).put(sys.argv[2], Path(sys.argv[3]))"
    )
    (file := tmp_path / "value").write_text("1")
    started = []
    for name in "abcd":
        machines.start(name)
        command = [sys.executable, "-c", line, f"{machines.address}/assets", name, str(file)]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    said = [process.communicate(timeout=60)[1] for process in started]
    assert sorted(process.returncode for process in started) == [0, 1, 1, 1]
    assert sum("ForeignBucketError" in one for one in said) == 3
    assert len(s3.contents(machines.address)) == 2
