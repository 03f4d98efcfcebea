"""The two example models on their real data, as the README's commands run them."""

import functools
import hashlib
import importlib
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.cli.parser.groups import VERBS
from mlops_assets.records.serving import Endpoint, Manifest
from mlops_assets.serving.version.model import by_sklearn, read_servable
from tests.worlds.effort import few_in_the_gate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[3]
TOOLS = Path(sys.executable).parent
MODELS = few_in_the_gate(["customers", "flights"], "customers")
LOOKING = ("list", "show", "compare", "status", "history", "why", "open", "explain", "doctor")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Project:
    """The repository's own definitions over a state folder of the test's."""

    home: Path
    environment: dict[str, str]

    def start(self, *command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(TOOLS / command[0]), *command[1:]],
            cwd=ROOT,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            umask=0o022,
        )

    def run(self, *command: str, code: int = 0) -> str:
        process = self.start(*command)
        output, _ = process.communicate(timeout=500)
        assert process.returncode == code, output
        return output

    def post(self, model: str, body: Any) -> tuple[int, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.environment[f'MLOPS_PORT_{model.upper()}']}/predict"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as err:
            return err.code, json.load(err)

    def endpoint(self, model: str) -> Endpoint:
        path = self.home / "assets" / model / "deployed_endpoint.json"
        return Endpoint.model_validate_json(path.read_text(encoding="utf-8"))


def build(home: Path) -> Project:
    folders = {"MLOPS_HOME": "", "MLOPS_DATA_ROOT": "project", "DAGSTER_HOME": "dagster"}
    ports = {name: str(free_port()) for name in ("MLOPS_PORT_CUSTOMERS", "MLOPS_PORT_FLIGHTS")}
    return Project(home, {name: str(home / folder) for name, folder in folders.items()} | ports)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Generator[Project]:
    project = build(tmp_path_factory.mktemp("home"))
    yield project
    project.run("mlops", "stop")


@pytest.fixture(scope="module")
def run_of(project: Project) -> Callable[[str], str]:
    """What the first `mlops run` of a model prints."""
    return functools.cache(lambda model: project.run("mlops", "run", model))


@pytest.fixture(scope="module")
def first_run(run_of: Callable[[str], str]) -> str:
    return run_of("customers")


@pytest.mark.parametrize("model", MODELS)
def test_one_command_ends_with_a_live_endpoint_and_a_prediction(
    run_of: Callable[[str], str], project: Project, model: str
) -> None:
    said = rf"^{model}: .*prediction=0\.\d+.*version=1"
    assert re.search(said, run_of(model), re.MULTILINE)
    assert f"{model}: version 1 at" in project.run("mlops", "status", model)
    manifest = project.home / "endpoints" / model / "deployment.json"
    assert Manifest.model_validate_json(manifest.read_bytes()).online.lookup == "direct"


@pytest.mark.parametrize("model", MODELS)
def test_the_served_prediction_equals_the_offline_one(
    run_of: Callable[[str], str], project: Project, model: str
) -> None:
    run_of(model)
    rows = pd.read_parquet(project.home / "assets" / model / "features.parquet")
    newest = rows[rows["event_timestamp"] == rows["event_timestamp"].max()]
    sample = newest.sample(min(100, len(newest)), random_state=0)
    entity = "customer_id" if model == "customers" else "flight_id"

    status, answer = project.post(model, {"entities": sample[entity].tolist()})

    assert status == 200
    version = project.home / "endpoints" / model / "versions" / "1"
    servable = read_servable(version)
    assert (servable.inference.runtime, servable.inference.flips) == ("onnxruntime", 0)
    assert servable.inference.rows > 10_000
    by_hand = by_sklearn(servable, (version / "model.skops").read_bytes())
    offline = by_hand.scores(sample.to_dict("records"))[:, 0]
    served = [prediction["prediction"] for prediction in answer["predictions"]]
    assert [p[entity] for p in answer["predictions"]] == sample[entity].tolist()
    assert max(abs(offline - served)) <= 1e-9


def test_the_endpoint_says_what_it_serves(first_run: str, project: Project) -> None:
    url = project.endpoint("customers").url
    with urllib.request.urlopen(f"{url}/model", timeout=30) as answer:
        told = json.load(answer)
    (pointer,) = (project.home / "project" / "data" / "customers").glob("*.dvc")
    assert f"md5: {told['data_version']}" in pointer.read_text()
    assert told["model_card"]["evaluation"]["model"]["version"] == told["model_version"] == 1
    version = project.home / "endpoints" / "customers" / "versions" / "1"
    assert set(told["documents"]) == {
        "model_card.json", "reference_profile.json", "requirements.lock"
    }  # fmt: skip
    for name, digest in told["documents"].items():
        assert hashlib.sha256((version / name).read_bytes()).hexdigest() == digest


def test_nobody_else_can_read_its_state(first_run: str, project: Project) -> None:
    open_to_others = [
        f"{path} {stat.S_IMODE(path.lstat().st_mode):o}"
        for path in (project.home, *project.home.rglob("*"))
        if not path.is_symlink() and path.lstat().st_mode & 0o077
    ]
    assert open_to_others == []


def test_unknown_entities_are_errors(first_run: str, project: Project) -> None:
    status, answer = project.post("customers", {"entities": [1, 99_999_999]})
    known, unknown = answer["predictions"]
    assert (status, known["customer_id"], unknown["customer_id"]) == (200, 1, 99_999_999)
    assert 0 < known["prediction"] < 1
    assert unknown["error"]["code"] == "unknown_entity"
    output = project.run("mlops", "predict", "customers", "1", "99999999", code=1)
    assert re.search(r"^customers: prediction=0\.\d+.*customer_id=1,", output, re.MULTILINE)
    assert "customers: no features of 99999999" in output


@pytest.mark.thorough
def test_expired_entities_are_errors(run_of: Callable[[str], str], project: Project) -> None:
    run_of("flights")
    rows = pd.read_parquet(project.home / "assets" / "flights" / "features.parquet")
    old = rows["flight_id"].iloc[0]  # January, and the TTL is 2 days
    status, answer = project.post("flights", {"entities": [old]})
    assert (status, answer["error"]["code"]) == (409, "stale_features")
    assert old in json.dumps(answer)


ALL_IN_ONE = """
import contextlib, io, json, sys
from mlops_assets.cli.main import main

said = []
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as text:
        assert main(command) == 0, command
    said.append(text.getvalue())
print(json.dumps(said))
"""
"""Commands in one process: each start of the command line costs two seconds of CPU."""


def test_what_a_verb_finds_is_one_json_document_with_the_keys_of_its_page(
    first_run: str, project: Project
) -> None:
    examples = [VERBS[verb].examples for verb in LOOKING]
    chosen = [next((e for e in some if "customers" in e), some[0]) for some in examples]
    commands = [shlex.split(example)[1:] for example in chosen]
    asked = json.dumps([*commands, *([*command, "--json"] for command in commands)])
    said = json.loads(project.run("python", "-c", ALL_IN_ONE, asked).splitlines()[-1])
    texts, documents = said[: len(LOOKING)], said[len(LOOKING) :]
    assert all(texts)
    for verb, document in zip(LOOKING, documents, strict=True):
        found, declared = json.loads(document), VERBS[verb]
        module, _, name = declared.facts.removesuffix("[]").rpartition(".")
        record = getattr(importlib.import_module(module), name)
        assert isinstance(found, list) == declared.facts.endswith("[]"), verb
        for one in found if isinstance(found, list) else [found]:
            assert set(one) == set(record.model_fields), verb


def test_a_logged_request_is_explained_by_the_row_that_was_fed(
    first_run: str, project: Project
) -> None:
    _, answer = project.post("customers", {"entities": [23570]})
    by_request, by_entity = (
        json.loads(project.run("mlops", "explain", "customers", asked, "--json"))
        for asked in (answer["request_id"], "23570")
    )
    assert by_request["prediction"] == pytest.approx(answer["predictions"][0]["prediction"])
    for found in (by_request, by_entity):
        added = sum(one["contribution"] for one in found["contributions"])
        assert found["expected"] + added == pytest.approx(found["prediction"])
    assert by_request["contributions"] == by_entity["contributions"]
    assert by_request["source"].startswith("the prediction log")


def test_the_log_of_a_run_names_its_assets(first_run: str, project: Project) -> None:
    text = project.run("mlops", "logs", "customers")
    assert "customers/deployed_endpoint: materialized" in text
    assert "there is no run abcdefgh" in project.run(
        "mlops", "logs", "customers", "--run", "abcdefgh", code=1
    )


def test_running_again_changes_nothing(first_run: str, project: Project) -> None:
    before = project.endpoint("customers")
    output = project.run("mlops", "run", "customers")
    done = re.findall(r"^(\S+): materialized in [\d.]+ s$", output, re.MULTILINE)
    assert done == ["customers/raw_data"]
    assert project.endpoint("customers") == before


def test_an_endpoint_that_is_down_comes_back(first_run: str, project: Project) -> None:
    project.run("mlops", "stop", "customers")
    assert "customers: -" in project.run("mlops", "status", "customers", code=1)
    output = project.run("mlops", "run", "customers")
    assert "customers: version 1 serves, as the ledger says" in output
    assert project.post("customers", {"entities": [1]})[0] == 200


@pytest.mark.thorough  # tests/e2e/dagster/test_dagster_ui.py replaces a live version by Dagster too
def test_dagster_itself_materializes_a_group(first_run: str, project: Project) -> None:
    """As CI calls it; the second version replaces the first on the live endpoint."""
    select = ("--select", "group:customers", "-m", "mlops_assets.definitions")
    project.run("dagster", "asset", "materialize", *select)
    assert project.endpoint("customers").model_version == 2
    assert project.post("customers", {"entities": [1]})[1]["model_version"] == 2
    assert mlflow_statuses(project) == ["FINISHED", "FINISHED"]


def mlflow_statuses(project: Project) -> list[str]:
    """How the runs that trained `customers` ended, newest first."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{project.home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("customers")
    assert experiment is not None
    return [run.info.status for run in client.search_runs([experiment.experiment_id])]


@pytest.mark.thorough
def test_a_run_killed_again_and_again_is_made_good_by_the_next(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """`kill -9` as soon as each of these appears, so in the middle of what follows it."""
    project = build(tmp_path_factory.mktemp("killed"))
    marks = [
        *("dagster/dagster.yaml", "dvc/cache/files", "assets/customers/processed_data.parquet"),
        *("feast/customers/registry.next.db", "mlflow.db", "assets/customers/trained_model.json"),
        *("endpoints/customers/versions", "endpoints/customers/deployment.json"),
    ]
    try:
        for mark in marks:
            process = project.start("mlops", "run", "customers")
            while not (project.home / mark).exists():
                assert process.poll() is None, f"ended before {mark}: {process.communicate()[0]}"
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

        output = project.run("mlops", "run", "customers")

        assert "prediction=" in output
        status, answer = project.post("customers", {"entities": [1]})
        assert (status, answer["model_name"]) == (200, "customers")
        assert set(mlflow_statuses(project)) <= {"FINISHED", "FAILED"}, "none left RUNNING"
    finally:
        project.run("mlops", "stop")
