"""A bucket of an S3 server: data versions and MLflow's files in it, the server away and back."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlops_assets.cli.facts.doctor import files_elsewhere
from mlops_assets.errors import BucketError, BucketUnavailableError
from resources import bucket as buckets
from resources.datasets.versions import DvcDatasets
from resources.tracking.tracking import MLflowTracking
from tests.support.s3_server import S3Server
from tests.support.servers import free_port

pytestmark = pytest.mark.e2e


@pytest.fixture
def address(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket that this process finds, as one that was only just started would."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    buckets._reached.clear()
    buckets._client.cache_clear()
    return s3.new_bucket()


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
    assert set(s3.contents(address).values()) == {b"a\n1\n", b"a\n2\n"}


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
