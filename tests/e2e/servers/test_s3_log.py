"""The prediction log in a bucket: machines that add to one day lose and double nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.errors import BucketUnavailableError
from resources.bucket import objects
from resources.prediction_log.log import PredictionLog
from tests.support.services.s3_server import S3Server
from tests.unit.monitoring.logged.test_prediction_log import everything, line, requests, text, write

pytestmark = pytest.mark.e2e


def log(folder: Path, address: str) -> PredictionLog:
    return PredictionLog(
        endpoints=str(folder / "endpoints"),
        root=str(folder / "predictions"),
        bucket=f"{address}/predictions" if address else "",
    )


def asked(log: PredictionLog) -> list[str]:
    return sorted(requests(everything(log)))


def test_each_machine_adds_what_its_endpoints_wrote_and_reads_all(
    address: str, tmp_path: Path
) -> None:
    here, elsewhere = log(tmp_path / "here", address), log(tmp_path / "elsewhere", address)
    write(here, text(line("a"), line("b", hours=30)))
    write(elsewhere, text(line("c"), line("a")))

    assert here.compact("toy").rows == 2
    summary = elsewhere.compact("toy")
    assert (summary.rows, summary.duplicates) == (1, 1)
    assert summary.held == {"2026-03-01": 2, "2026-03-02": 1}
    for machine in (here, elsewhere, log(tmp_path / "third", address)):
        assert asked(machine) == ["a", "b", "c"]
        assert machine.compact("toy").rows == 0
        assert len(machine.request("toy", "c")) == 1


def test_machines_that_add_to_one_day_at_once_lose_and_double_nothing(
    address: str, tmp_path: Path
) -> None:
    machines = [log(tmp_path / str(number), address) for number in range(4)]

    def add(number: int) -> int:
        added = 0
        for turn in range(5):
            names = [f"{number}-{turn}", f"all-{turn}"]
            write(machines[number], text(*map(line, names)), number=turn)
            added += machines[number].compact("toy").rows
        return added

    with ThreadPoolExecutor(len(machines)) as pool:
        added = sum(pool.map(add, range(len(machines))))
    expected = sorted(
        [f"{n}-{t}" for n in range(4) for t in range(5)] + [f"all-{turn}" for turn in range(5)]
    )
    assert added == len(expected)
    for machine in machines:
        assert asked(machine) == expected


@pytest.mark.parametrize("patience", [0, 60])
def test_the_server_away_in_the_middle_loses_and_doubles_nothing(
    s3: S3Server, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: int
) -> None:
    monkeypatch.setattr(objects, "AWAY_SECONDS", patience)
    here = log(tmp_path / "here", address)
    write(here, text(line("a")), number=0)
    here.compact("toy")
    write(here, text(line("b")), number=1)
    s3.end()
    if patience:
        back = threading.Timer(3, s3.start)
        back.start()
        here.compact("toy")
        back.join()
    else:
        with pytest.raises(BucketUnavailableError):
            here.compact("toy")
        s3.start()
    assert here.compact("toy").rows == (0 if patience else 1)
    assert asked(log(tmp_path / "elsewhere", address)) == asked(here) == ["a", "b"]


def test_what_was_logged_before_there_was_a_bucket_goes_there(address: str, tmp_path: Path) -> None:
    for name in ("here", "elsewhere"):
        write(log(tmp_path / name, ""), text(line(f"of {name}")))
        log(tmp_path / name, "").compact("toy")
    assert asked(log(tmp_path / "here", address)) == ["of here"]
    assert asked(log(tmp_path / "elsewhere", address)) == ["of here"]
    aside = tmp_path / "elsewhere" / "predictions" / "toy" / "before" / "2026-03-01.parquet"
    assert pd.read_parquet(aside)["request_id"].tolist() == ["of elsewhere"]


def test_a_batch_of_one_machine_is_known_to_the_other(address: str, tmp_path: Path) -> None:
    here, elsewhere = (log(tmp_path / name, address) for name in ("here", "elsewhere"))
    frame = everything(here)
    with here.batches("toy").exclusive():
        file = (
            tmp_path / "here" / "predictions" / "toy" / "2026-03-01-table-20260301T000000-x.parquet"
        )
        frame.to_parquet(file)
    with elsewhere.batches("toy").exclusive():
        assert elsewhere.batches("toy").holds("x")
