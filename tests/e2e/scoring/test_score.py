"""`mlops score` of a real project: what the live endpoint answers, once in the log, or nothing."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from tests.support.loans import loans_yaml, write_loans
from tests.support.servers import ROOT, free_port, kill_all_with, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

TOOLS = Path(sys.executable).parent
ROWS = 1_000_000


@dataclass(frozen=True)
class Project:
    """A folder with the model of loans, deployed."""

    root: Path
    port: int

    def start(self, *command: str) -> subprocess.Popen[str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("MLOPS_", "DAGSTER_"))}
        return subprocess.Popen(
            [str(TOOLS / "mlops"), *command],
            cwd=self.root / "work",
            env=kept,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str, code: int = 0) -> tuple[str, str]:
        started = self.start(*command)
        out, err = started.communicate(timeout=300)
        assert started.returncode == code, out[-3000:] + err[-3000:]
        return out, err

    def score(self, *options: str, code: int = 0) -> dict[str, Any]:
        return json.loads(self.run("score", "loans", "--json", *options, code=code)[0])

    def ask(self, path: str, body: Any) -> list[dict[str, Any]]:
        url, content = f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode()
        request = urllib.request.Request(url, content, method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["predictions"]

    @property
    def logged(self) -> list[Path]:
        return list(self.root.glob(".mlops/predictions/loans/*.parquet"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Generator[Project]:
    root = tmp_path_factory.mktemp("bank")
    below = root / "defs" / "loans"
    below.mkdir(parents=True)
    (root / "work").mkdir()  # where the commands are given, below the project
    made = Project(root, free_port())
    attributes = loans_yaml(write_loans(root / "loans.csv")) | {"deployment": {"port": made.port}}
    document = {"type": "mlops_assets.components.ModelPipeline", "attributes": attributes}
    (below / "defs.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    (root / "mlops.yaml").touch()
    try:
        _, err = made.run("score", "loans", code=1)
        assert err == (
            "DeploymentError: no version of 'loans' is deployed; run `mlops run loans`\n"
        )
        made.run("run")
        yield made
        made.run("stop")
    finally:
        kill_all_with("MLOPS_ENDPOINT", str(root / ".mlops" / "endpoints" / "loans"))


def test_every_entity_is_answered_as_the_endpoint_answers_it(project: Project) -> None:
    said = project.score()
    found = pd.read_parquet(said["output"])
    live = project.ask("/predict", {"entities": found["id"].tolist()})

    assert (said["rows"], said["quarantined"], said["logged"]) == (400, 0, 400)
    assert found["prediction"].tolist() == [one["prediction"] for one in live]
    moments = found["features_as_of"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").tolist()
    assert moments == [one["features_as_of"] for one in live]


LOOK = """
import hashlib, json, sys
from pathlib import Path

home = Path(sys.argv[1])

def state():
    files = [file for file in home.rglob("*") if file.is_file() and "status" not in file.parts]
    return {str(f): (f.stat().st_mtime_ns, hashlib.md5(f.read_bytes()).hexdigest()) for f in files}

before = state()
import mlops_assets, mlops_assets.errors
from docs.notebooks import FOLDER, executed

notebook = executed((FOLDER / "a_live_model.py").read_text(encoding="utf-8"))
features, raw = mlops_assets.load("loans/features"), mlops_assets.load("loans/raw_data")
scored = mlops_assets.score("loans", features.sample(frac=1, random_state=0))
of_raw = mlops_assets.score("loans", raw.assign(grade="new"), to="arrow")
assert scored.index.equals(features.sample(frac=1, random_state=0).index)
assert mlops_assets.load("loans/model@1").classes_.tolist() == [0, 1]
assert mlops_assets.load("loans/model@champion").classes_.tolist() == [0, 1]
assert mlops_assets.history("loans")["to_version"].tolist() == [1]
assert len(mlops_assets.load("loans/prediction_log")) >= 0
refused = {}
for name in ("loans/model@champoin", "loans/model@7", "loans/labels", "loan/features"):
    try:
        mlops_assets.load(name)
    except mlops_assets.errors.ConfigError as err:
        refused[name] = str(err)
now = state()
print(json.dumps({
    "changed": sorted(name for name in {*before, *now} if before.get(name) != now.get(name)),
    "notebook": notebook,
    "scored": scored[["id", "prediction"]].to_dict("list"),
    "of_raw": of_raw.select(["id", "prediction", "unseen_categories"]).to_pydict(),
    "refused": refused,
}))
"""


def test_a_notebook_gets_what_the_endpoint_answers_and_changes_nothing(project: Project) -> None:
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("MLOPS_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(project.root / ".mlops")],
        cwd=project.root / "work",
        env=kept | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["changed"] == []
    live = project.ask("/predict", {"entities": said["scored"]["id"]})
    assert said["scored"]["prediction"] == [one["prediction"] for one in live]
    assert said["of_raw"]["unseen_categories"] == [["grade"]] * 400
    written = ROOT / "docs" / "notebooks" / "a_live_model.ipynb"
    assert said["notebook"] == json.loads(written.read_text(encoding="utf-8"))
    assert "after the @ stands one of ['champion', " in said["refused"]["loans/model@champoin"]
    assert "no version 7; there are [1]" in said["refused"]["loans/model@7"]
    assert "loans has no 'labels'; there are [" in said["refused"]["loans/labels"]
    assert "there are ['loans']; did you mean 'loans'?" in said["refused"]["loan/features"]


def test_killed_in_the_middle_nothing_is_half_written_and_nothing_is_there_twice(
    project: Project,
) -> None:
    rng, table = np.random.default_rng(1), project.root / "work" / "new.parquet"
    rows = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "time": pd.Timestamp("2025-01-01", tz="UTC"),
            "amount": rng.uniform(-0.001, 100, ROWS),
            "grade": rng.choice(["a", "b", "c", "d"], ROWS),
        }
    )
    rows.to_parquet(table, index=False, row_group_size=100_000)
    good, before = rows[rows["amount"] >= 0], len(project.logged)
    command = ("score", "loans", "--input", "new*.parquet", "--output", "scores.parquet")
    killed = project.start(*command)

    def is_in_the_middle() -> bool:
        started = project.root.glob("work/.scores.parquet.*")
        return killed.poll() is not None or any(file.stat().st_size > 1_000 for file in started)

    wait_for("something written", is_in_the_middle, 120, every=0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, "it was over before it could be killed"
    assert not (project.root / "work" / "scores.parquet").exists()
    assert len(project.logged) == before

    first = project.score(*command[2:])
    assert (first["rows"], first["logged"]) == (len(good), len(good))
    assert first["quarantined"] == len(rows) - len(good) > 0
    again = project.score(*command[2:])
    assert (again["rows"], again["logged"], again["batch"]) == (len(good), 0, first["batch"])
    assert len(project.logged) == before + 1
    assert list(project.root.glob("work/.*")) == []
    assert list(project.root.glob(".mlops/predictions/loans/.*")) == []
    (file,) = (one for one in project.logged if first["batch"] in one.name)
    assert pq.ParquetFile(file).metadata.num_rows == len(good)

    found = pd.read_parquet(project.root / "work" / "scores.parquet")
    assert found["row"].tolist() == good.index.tolist()
    for start in (0, 65_000, len(good) // 1000 * 1000):  # as many as fit into a request
        asked = good.iloc[start : start + 1000][["amount", "grade"]].to_dict("records")
        live = project.ask("/predict_features", {"rows": asked})
        part = found.iloc[start : start + 1000]
        assert part["prediction"].tolist() == [one["prediction"] for one in live]
        unseen = [None if one is None else list(one) for one in part["unseen_categories"]]
        assert unseen == [one.get("unseen_categories") for one in live]


def test_who_asks_amiss_is_told_in_a_sentence(project: Project) -> None:
    work = project.root / "work"
    (work / "empty.csv").write_text("id,time,amount,grade\n")
    (work / "short.csv").write_text("id,time,grade\n1,2024-01-01,a\n")
    pd.read_csv(project.root / "loans.csv").to_parquet(work / "good.parquet")
    for options, expected in {
        ("--input", "none.csv"): "there is no file",
        ("--input", "empty.csv"): "and no rows",
        ("--input", "short.csv"): "the columns ['amount'] are missing",
        ("--output", "."): "is a folder; name a file in it",
        ("--output", "scores.csv"): "what is written is Parquet",
        ("--output", "no/scores.parquet"): "there is no folder",
        ("--input", "g*.parquet", "--output", "../work/good.parquet"): "is an input file",
    }.items():
        out, err = project.run("score", "loans", *options, code=1)
        assert out == ""
        assert expected in err
        assert len(err.splitlines()) == 1
    assert len(pd.read_parquet(work / "good.parquet")) == 400


def test_too_many_bad_rows_are_an_exit_code(project: Project) -> None:
    file = project.root / "work" / "bad.jsonl"
    row = {"id": 1, "time": "2024-01-01", "amount": 5, "grade": "a", "note": "x"}
    lines = [json.dumps(row | {"id": n, "amount": 5 - 6 * (n == 3)}) for n in range(10)]
    file.write_text("\n".join(lines) + "\n")
    out, err = project.run("score", "loans", "--input", "bad.jsonl", code=1)
    assert "loans: version 1 scored 9 rows into " in out
    said = err.splitlines()
    assert said[0].startswith("loans: 1 quarantined, in ")
    assert said[0].endswith(".quarantine.parquet: amount.min 1")
    assert said[1].startswith("loans: 1 of 10 rows are more than `contract.max_bad_fraction: 0.")
    assert said[2] == "loans: not looked at: note"
