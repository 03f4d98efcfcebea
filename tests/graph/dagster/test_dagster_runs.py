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
from deploy.airflow.plugins.dagster_runs import Cursor, DagsterError, DagsterRun, DagsterWebserver

ROOT = Path(__file__).resolve().parents[3]
QUERIES = ("JOBS", "ASSETS", "LAUNCH", "NEWEST", "STATUS", "EVENTS", "CANCEL")


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


def run(run_id: str, status: str, **tags: str) -> dict[str, Any]:
    pairs = [{"key": f"airflow/{key}", "value": value} for key, value in tags.items()]
    return {
        "__typename": "Run",
        "runId": run_id,
        "status": status,
        "rootRunId": None,
        "tags": pairs,
    }


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
        found = run("r1", "STARTED")
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


def test_events_come_page_by_page_and_no_event_comes_twice() -> None:
    events = [{"message": str(number)} for number in range(5)]

    def answer(_: str | None, variables: dict[str, Any]) -> tuple[int, str]:
        start = int(variables["cursor"] or 0)
        page = events[start : start + 2]
        found = {
            "__typename": "EventConnection",
            "cursor": str(start + len(page)),
            "hasMore": start + len(page) < len(events),
            "events": page,
        }
        return 200, json.dumps({"data": {"logsForRun": found}})

    cursor = Cursor()
    with answering(answer) as url:
        server = DagsterWebserver(url)
        assert list(server.events_after("r1", cursor)) == events
        events += [{"message": "5"}]
        assert list(server.events_after("r1", cursor)) == [{"message": "5"}]
        assert list(server.events("r1")) == events


def test_the_newest_run_is_the_newest_that_one_of_the_tasks_launched() -> None:
    found = {
        "__typename": "Runs",
        "results": [
            run("r3", "SUCCESS", task_id="customers.evaluate_model"),
            run("r2", "SUCCESS", task_id="customers.train_model"),
            run("r1", "SUCCESS", task_id="customers.process_data"),
        ],
    }
    with answering(lambda *_: (200, json.dumps({"data": {"runsOrError": found}}))) as url:
        server = DagsterWebserver(url)
        names = {"customers.process_data", "customers.train_model"}
        assert [
            one and one.run_id
            for one in (
                server.newest("customers_training", {}),
                server.newest("customers_training", {}, names),
                server.newest("customers_training", {}, {"customers.engineer_features"}),
            )
        ] == ["r3", "r2", None]


def test_a_part_of_a_job_is_run_without_the_assets_that_come_before() -> None:
    told = []

    def answer(_: str | None, variables: dict[str, Any]) -> tuple[int, str]:
        if "params" in variables:
            told.append(variables["params"])
            launched = {"__typename": "LaunchRunSuccess", "run": run("r2", "QUEUED")}
            return 200, json.dumps({"data": {"launchRun": launched}})
        if "job" in variables:
            keys = [{"assetKey": {"path": ["a", stage]}} for stage in ("raw_data", "features")]
            return 200, json.dumps({"data": {"assetNodes": keys}})
        return 200, workspace(location("mlops", "a_training"))

    with answering(answer) as url:
        again = DagsterRun("r1", "FAILURE", root="r0")
        DagsterWebserver(url).launch("a_training", {}, {"a/raw_data"}, again)
    (params,) = told
    assert params["selector"]["assetSelection"] == [{"path": ["a", "features"]}]
    assert params["executionMetadata"]["rootRunId"] == "r0"
    assert params["executionMetadata"]["parentRunId"] == "r1"


def answers(*found: dict[str, Any]) -> Callable[..., tuple[int, str]]:
    """One after the other; a request too many is an error."""
    texts = iter(found)
    return lambda *_: (200, json.dumps({"data": {"found": next(texts)}}))


REFUSED = {"__typename": "TerminateRunFailure", "message": "has status STARTING"}


def status(name: str) -> dict[str, Any]:
    return run("r1", name)


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
