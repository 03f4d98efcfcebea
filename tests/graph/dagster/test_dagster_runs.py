"""The Airflow operator's client: its queries fit this Dagster, and it says what is wrong."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from dagster_graphql.schema import create_schema
from graphql import parse, validate

from deploy.airflow.plugins import dagster_runs
from deploy.airflow.plugins.dagster_runs import DagsterError, DagsterWebserver, Reason

ROOT = Path(__file__).resolve().parents[3]
QUERIES = ("JOBS", "LAUNCH", "NEWEST", "STATUS", "EVENTS", "CANCEL")


def location(name: str, *jobs: str) -> dict[str, Any]:
    repository = {"name": "__repository__", "jobs": [{"name": job} for job in jobs]}
    loaded = {"__typename": "RepositoryLocation", "repositories": [repository]}
    return {"name": name, "locationOrLoadError": loaded}


@contextmanager
def answering(answer: Callable[[str | None, dict[str, Any]], tuple[int, str]]) -> Generator[str]:
    """The address of a server that answers by a request's token and variables."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, text = answer(self.headers["Authorization"], body["variables"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *args: object) -> None:
            """Nothing on the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def workspace(*entries: dict[str, Any]) -> str:
    found = {"__typename": "Workspace", "locationEntries": entries}
    return json.dumps({"data": {"workspaceOrError": found}})


def launch_error(text: str, status: int = 200) -> str:
    with (
        answering(lambda *_: (status, text)) as url,
        pytest.raises(DagsterError) as raised,
    ):
        DagsterWebserver(url).launch("loans_training", {})
    return str(raised.value)


def test_every_query_fits_the_schema_of_the_installed_dagster() -> None:
    schema = create_schema().graphql_schema
    wrong = {name: validate(schema, parse(getattr(dagster_runs, name))) for name in QUERIES}
    assert wrong == {name: [] for name in QUERIES}


def test_the_shipped_dag_trains_the_models_of_the_repository() -> None:
    dag = (ROOT / "deploy/airflow/dags/ml_training_pipeline.py").read_text(encoding="utf-8")
    models = sorted(file.parent.name for file in ROOT.glob("mlops_assets/defs/*/defs.yaml"))
    assert f"MODELS = {json.dumps(models)}".replace("[", "(").replace("]", ")") in dag


def test_an_unknown_job_is_named_with_those_that_exist() -> None:
    said = launch_error(workspace(location("mlops", "__ASSET_JOB", "flights_training")))
    assert "no job 'loans_training'; it has ['flights_training']" in said


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (None, "'mlops': still loading"),
        ({"__typename": "PythonError", "message": "SyntaxError: x"}, "'mlops': SyntaxError: x"),
    ],
)
def test_a_code_location_that_is_not_loaded_is_why(problem: Any, said: str) -> None:
    entry = {"name": "mlops", "locationOrLoadError": problem}
    assert f"code location {said}" in launch_error(workspace(entry, location("other", "a")))


def test_a_job_of_two_code_locations_is_not_guessed() -> None:
    said = launch_error(workspace(location("a", "loans_training"), location("b", "loans_training")))
    assert "several jobs 'loans_training'" in said
    assert "('a', '__repository__'), ('b', '__repository__')" in said


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (401, "who are you?", "401 Unauthorized"),
        (302, "", "302 Found"),
        (200, "<html>Sign in</html>", "Expecting value"),
    ],
)
def test_a_login_page_is_no_answer(status: int, text: str, said: str) -> None:
    answer = launch_error(text, status)
    assert said in answer
    assert "correct the address or the token" in answer


def test_the_token_is_sent_and_never_shown() -> None:
    def answer(token: str | None, _: dict[str, Any]) -> tuple[int, str]:
        found = {"__typename": "Run", "runId": "r1", "status": "STARTED"}
        return (
            (200, json.dumps({"data": {"runOrError": found}}))
            if token == "Bearer s3cret"
            else (403, "")
        )

    with answering(answer) as url:
        webserver = DagsterWebserver(url, {"Authorization": "Bearer s3cret"})
        assert webserver.run("r1").status == "STARTED"
        assert "s3cret" not in repr(webserver)
        with pytest.raises(DagsterError, match="403"):
            DagsterWebserver(url).run("r1")


def step_failure(key: str, class_name: str | None, message: str, *causes: str) -> dict[str, Any]:
    error = {
        "className": class_name,
        "message": "Error occurred while executing op\n",
        "causes": [{"message": cause} for cause in causes],
    }
    return {
        "__typename": "ExecutionStepFailureEvent",
        "stepKey": key,
        "message": message,
        "error": error if class_name else None,
        "failureMetadata": None,
    }


def reason(*pages: list[dict[str, Any]]) -> Reason:
    def answer(_: str | None, variables: dict[str, Any]) -> tuple[int, str]:
        page = int(variables["cursor"] or 0)
        found = {
            "__typename": "EventConnection",
            "cursor": str(page + 1),
            "hasMore": page + 1 < len(pages),
            "events": pages[page],
        }
        return 200, json.dumps({"data": {"logsForRun": found}})

    with answering(answer) as url:
        return DagsterWebserver(url).reason("r1")


ENDED = {"__typename": "RunFailureEvent", "message": "the process is gone", "stepKey": None}


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        (
            [
                [],
                [step_failure("a", "DagsterExecutionStepExecutionError", "", "x", "KeyError: 1\n")],
            ],
            Reason("a: KeyError: 1", final=False),
        ),
        (
            [[step_failure("a", None, "a crashed"), step_failure("b", "Failure", "")], [ENDED]],
            Reason("a: a crashed; b: Error occurred while executing op", final=True),
        ),
        ([[ENDED]], Reason("the process is gone", final=False)),
        ([[]], Reason("Dagster gives no reason", final=False)),
    ],
    ids=["innermost cause, second page", "final", "no step", "nothing"],
)
def test_the_reason_is_that_of_the_steps_or_of_the_run(pages: Any, expected: Reason) -> None:
    assert reason(*pages) == expected


def answers(*found: dict[str, str]) -> Callable[..., tuple[int, str]]:
    """One after the other; a request too many is an error."""
    texts = iter(found)
    return lambda *_: (200, json.dumps({"data": {"found": next(texts)}}))


REFUSED = {"__typename": "TerminateRunFailure", "message": "has status STARTING"}


def status(name: str) -> dict[str, str]:
    return {"__typename": "Run", "runId": "r1", "status": name}


def test_a_run_that_is_starting_is_canceled_when_it_has_started() -> None:
    told = answers(REFUSED, status("STARTING"), {"__typename": "TerminateRunSuccess"})
    with answering(told) as url:
        DagsterWebserver(url).cancel("r1")


def test_a_run_that_has_ended_cannot_be_canceled() -> None:
    with (
        answering(answers(REFUSED, status("SUCCESS"))) as url,
        pytest.raises(DagsterError, match="TerminateRunFailure"),
    ):
        DagsterWebserver(url).cancel("r1")
