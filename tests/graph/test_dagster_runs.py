"""The Airflow operator's client: its queries fit this Dagster, and it says what is wrong."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from dagster_graphql.schema import create_schema
from graphql import parse, validate

from deploy.airflow.plugins import dagster_runs
from deploy.airflow.plugins.dagster_runs import DagsterError, DagsterWebserver

QUERIES = ("JOBS", "LAUNCH", "NEWEST", "STATUS", "EVENTS", "CANCEL")


def location(name: str, *jobs: str) -> dict[str, Any]:
    repository = {"name": "__repository__", "jobs": [{"name": job} for job in jobs]}
    loaded = {"__typename": "RepositoryLocation", "repositories": [repository]}
    return {"name": name, "locationOrLoadError": loaded}


@contextmanager
def answering(answer: Callable[[str | None], tuple[int, str]]) -> Generator[str]:
    """The address of a server that answers every request, which it knows by its token."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, text = answer(self.headers["Authorization"])
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
        answering(lambda _: (status, text)) as url,
        pytest.raises(DagsterError) as raised,
    ):
        DagsterWebserver(url).launch("loans_training", {})
    return str(raised.value)


def test_every_query_fits_the_schema_of_the_installed_dagster() -> None:
    schema = create_schema().graphql_schema
    wrong = {name: validate(schema, parse(getattr(dagster_runs, name))) for name in QUERIES}
    assert wrong == {name: [] for name in QUERIES}


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
    def answer(token: str | None) -> tuple[int, str]:
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
