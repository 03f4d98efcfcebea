"""Benchmarks that can't rot: each is known, keeps its page in one way, and runs in little.

Only counts are looked at, never times. Those that start servers or whole runs have a small form
too, which is minutes of work: `python -m benchmarks NAME --small`, by hand.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import benchmarks.beyond_memory.__main__ as beyond
from benchmarks import peers
from benchmarks.__main__ import benchmarks, main
from benchmarks.overhead.plain_customers import customers
from benchmarks.page import RESULTS, ROOT, commit
from mlops_assets.ml.evaluation.metrics import metrics_of
from tests.worlds.effort import few_in_the_gate

HERE = ROOT / "benchmarks"
WITHOUT_SERVERS = {
    # To the rows of the tables that it makes.
    "alarms": 8,
    "calibration": 7,
    "canary": 45,
    "external_memory": 2,
    "gate": 13,
    "recalibration": 9,
    "retraining": 14,
    "seasons": 2,
}
SLOW = {"alarms", "calibration", "external_memory", "recalibration", "retraining"}
"""Six seconds of CPU and more."""


def source(name: str) -> str:
    folder = HERE / name
    files = sorted(folder.glob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def test_without_a_name_all_are_listed_with_what_they_ask(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(benchmarks())
    assert all(len(line.split()) > 3 for line in lines)
    assert {"gate", "retraining", "serving"} <= set(benchmarks())


def test_another_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["gates"])
    assert "gates" in capsys.readouterr().err


@pytest.mark.parametrize("name", benchmarks())
def test_every_page_is_kept_by_the_one_way_that_names_commit_and_date(name: str) -> None:
    code = source(name)
    assert f'publish("{name}"' in code or f'publish(\n        "{name}"' in code
    assert not re.search(r"results/\w+\.(md|png)\"|\"results\"", code)
    assert "sized(" in code or "small()" in code or name == "peers"


def test_every_page_is_of_a_benchmark() -> None:
    assert {page.stem for page in RESULTS.glob("*.md")} - {"bad_clients"} <= {*benchmarks()}


@pytest.mark.parametrize("name", few_in_the_gate(WITHOUT_SERVERS, *(WITHOUT_SERVERS.keys() - SLOW)))
def test_the_small_form_makes_its_whole_page_and_keeps_none(name: str) -> None:
    before = {file: file.stat().st_mtime_ns for file in RESULTS.iterdir()}
    command = [sys.executable, "-m", "benchmarks", name, "--small"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    page = done.stdout
    assert re.search(rf"^Made at \S+ on \d{{4}}-\d\d-\d\d by .*benchmarks {name}`", page, re.M)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    headers = sum(set(line) <= set("|-: ") for line in rows)
    assert len(rows) - 2 * headers == WITHOUT_SERVERS[name]
    assert " nan " not in page
    assert {file: file.stat().st_mtime_ns for file in RESULTS.iterdir()} == before


def test_the_script_beside_customers_has_settings_and_a_gate_that_it_can_measure() -> None:
    settings = customers(8123)
    assert (settings.deployment.target, settings.deployment.port) == ("local", 8123)
    measured = metrics_of(np.array([0, 1, 1, 0]), np.array([[0.2], [0.8], [0.6], [0.5]]), "binary")
    assert settings.evaluation.gate.bounds.keys() <= measured.keys()


def test_figures_of_peers_are_those_of_the_pages(tmp_path: Path) -> None:
    (tmp_path / "feature_store.md").write_text(
        "# Join\n\n| shape | rows | rounds | ours | Polars `join_asof` | Feast `get` |\n"
        "|---|---|---|---|---|---|\n"
        "| daily | 1,000,000 | 3 | 0.30 s, 456 MB | 0.40 s, 912 MB | 15.00 s, 4,560 MB |\n"
        "| daily | 5,000,000 | 3 | 2.0 s, 1,225 MB | 4.0 s, 2,245 MB |  |\n\n"
        "| | cells written | CPU s, peak MB |\n|---|---|---|\n| the first | 1 | 4.0 s, 8 MB |\n",
        encoding="utf-8",
    )
    found = peers.points("feature_store", tmp_path)
    told = [(one.size, one.peer, one.cpu, one.memory) for one in found]
    assert told == [
        (1_000_000, "Polars", pytest.approx(0.75), pytest.approx(0.5)),
        (1_000_000, "Feast", pytest.approx(0.02), pytest.approx(0.1)),
        (5_000_000, "Polars", pytest.approx(0.5), pytest.approx(1225 / 2245)),
    ]
    assert peers.points("scoring", tmp_path) == []
    assert peers.picture(found).startswith(b"\x89PNG")
    page = peers.page(found)
    assert (
        "| training join, daily | 1,000,000 | Feast | 0.30 s, 456 MB | 15.00 s, 4,560 MB |" in page
    )


def test_the_page_of_a_log_beyond_memory_compares_what_is_alike() -> None:
    def facts(scale: int) -> beyond.Facts:
        took = {"cpu_s": 10.0 * scale, "peak_mb": 500.0 * scale, "spill_mb": 1.0, "rows": 7}
        return {stage: {**took, "labelled": 5, "sum": 2.5} for stage in beyond.STAGES}

    logs = [
        beyond.Log(events, 9, "int64", engine)
        for events in (1_000_000, 10_000_000)
        for engine in (beyond.DUCKDB, beyond.ARRAYS)
    ]
    found = {log: facts(log.events // 1_000_000) for log in logs}
    beyond.require_equal(found)
    page = beyond.page(found)
    assert page.count("| 10,000,000 |") == 2
    assert "* duckdb, 1,000,000 to 10,000,000 events: 10.0 times the CPU" in page
    assert beyond.picture(found).startswith(b"\x89PNG")
    found[logs[0]]["features"]["sum"] = 2.6
    with pytest.raises(SystemExit, match="features differ"):
        beyond.require_equal(found)


def test_every_kept_page_that_names_a_peer_is_read() -> None:
    for name in peers.READ:
        assert not (RESULTS / f"{name}.md").exists() or peers.points(name)


def test_what_was_measured_is_a_commit() -> None:
    assert re.fullmatch(r"[0-9a-f]{7,}(-dirty)?|v?\d\S*|no commit", commit())
