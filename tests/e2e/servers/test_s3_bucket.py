"""A bucket of an S3 server: data versions and MLflow's files in it, the server away and back."""

import logging
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.cli.facts.doctor import files_elsewhere
from mlops_assets.errors import BucketError, BucketUnavailableError
from mlops_assets.ml.frames import TIMESTAMP
from resources.bucket import objects
from resources.dagster.io import ParquetStorage
from resources.datasets.versions import DvcDatasets
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking
from tests.support.served.served_models import VIEW, online_frame
from tests.support.servers import free_port
from tests.support.services.s3_server import S3Server
from tests.support.services.s3_stores import read, storage, tracking, write

pytestmark = pytest.mark.e2e


def datasets(folder: Path, address: str) -> DvcDatasets:
    return DvcDatasets(
        root=str(folder / "project"),
        cache=str(folder / "dvc" / "cache"),
        quarantine=str(folder / "quarantine"),
        bucket=f"{address}/dvc",
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
