"""A bucket belongs to one store of facts: any other is refused before anything is read."""

import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.cli.facts.doctor import files_elsewhere
from mlops_assets.errors import ForeignBucketError
from resources.bucket import objects
from resources.dagster.io import ParquetStorage
from tests.support.services.postgres_server import PostgresServer
from tests.support.services.s3_server import S3Server
from tests.support.services.s3_stores import read, storage, tracking, write

pytestmark = pytest.mark.e2e


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
