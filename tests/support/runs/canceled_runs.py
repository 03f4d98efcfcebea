"""Runs of a real Dagster, or of `mlops run`, that are canceled, and all that must agree then."""

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from mlops_assets.home import HOST
from tests.support.runs.small_checkout import ENDED, MODEL, Checkout
from tests.support.servers import kill_all_with, wait_for

MOST_SECONDS, QUIET_SECONDS = 90.0, 5.0
ITS_END = "its end"
_LAUNCH = """mutation($p: ExecutionParams!) {launchRun(executionParams: $p)
  {__typename ... on LaunchRunSuccess {run {runId}}}}"""
_TERMINATE = """mutation($r: String!, $p: TerminateRunPolicy!)
  {terminateRun(runId: $r, terminatePolicy: $p) {__typename}}"""
_HEARD = (dg.DagsterEventType.RUN_CANCELING, dg.DagsterEventType.RUN_CANCELED)
_POLICIES = {True: "MARK_AS_CANCELED_IMMEDIATELY", False: "SAFE_TERMINATE"}


@dataclass
class Canceled:
    """What was found of one run."""

    within: float
    """Seconds from the request to the end."""
    during: str
    """The last step of which something was told before; or the queue, or its end."""
    faults: list[str] = field(default_factory=list)


class Server:
    """Dagster's webserver and daemon over a checkout."""

    def __init__(self, checkout: Checkout, port: int) -> None:
        self._checkout, self._port = checkout, port

    @contextmanager
    def running(self, executor: str) -> Generator[None]:
        where = ("--host", HOST, "--port", str(self._port), "-m", "mlops_assets.definitions")
        process = self._checkout.start("dagster", "dev", *where, MLOPS_EXECUTOR=executor)
        try:
            wait_for("the webserver", self._answers, 180, every=1)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()
            kill_all_with("MLOPS_HOME", str(self._checkout.home))  # e.g. a run

    def launch(self) -> str:
        """Id of a run from raw data to the deployment."""
        selector = {
            "repositoryName": "__repository__",
            "repositoryLocationName": "mlops_assets.definitions",
            "jobName": f"{MODEL}_training",
        }
        params = {"selector": selector, "runConfigData": {}, "mode": "default"}
        return self._ask(_LAUNCH, p=params)["launchRun"]["run"]["runId"]

    def terminate(self, run_id: str, *, forced: bool) -> bool:
        """Whether it is taken: Dagster refuses it, unless by force, of what is starting."""
        answer = self._ask(_TERMINATE, r=run_id, p=_POLICIES[forced])
        return answer["terminateRun"]["__typename"] == "TerminateRunSuccess"

    def _answers(self) -> bool:
        try:
            return bool(self._ask("{version}"))
        except OSError:
            return False

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(f"http://{HOST}:{self._port}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["data"]


def in_step(checkout: Checkout, stage: str, since: float) -> None:
    """Wait until a run that was created since has begun it."""

    def began() -> bool:
        if not (checkout.home / "dagster" / "history").exists():
            return False
        with checkout.instance() as instance:
            (newest,) = instance.get_run_records(limit=1) or (None,)
            if newest is None or newest.create_timestamp.timestamp() < since:
                return False
            run_id, kind = newest.dagster_run.run_id, dg.DagsterEventType.STEP_START
            starts = instance.all_logs(run_id, of_type=kind)
        return f"{MODEL}__{stage}" in [log.step_key for log in starts]

    wait_for(stage, began, 300)


def cancel_launched(
    server: Server, checkout: Checkout, moment: Callable[[float], object], *, forced: bool
) -> Canceled:
    """Launch a run over new data, and terminate it when the moment since then has come."""
    checkout.new_data()
    began = time.time()
    run_id = server.launch()
    moment(began)
    asked = time.time()
    while not server.terminate(run_id, forced=forced):
        time.sleep(0.3)
        asked = time.time()
        if run_status(checkout, run_id) in ENDED:
            return Canceled(0.0, ITS_END, ["it ended before it could be canceled"])
    return _judged(checkout, run_id, asked, at_server=True)


def cancel_command(
    checkout: Checkout, moment: Callable[[float], object], signal_number: int
) -> Canceled:
    """Start `mlops run` over new data, and interrupt it when the moment since then has come."""
    checkout.new_data()
    began = time.time()
    process = checkout.start("mlops", "run", MODEL)
    moment(began)
    if process.poll() == 0:
        return Canceled(0.0, ITS_END, ["it ended before it could be canceled"])
    asked = time.time()
    process.send_signal(signal_number)
    code = process.wait(MOST_SECONDS)
    within = time.time() - asked
    with checkout.instance() as instance:
        records = instance.get_run_records(limit=2)
    newest, ours = records[0], [one for one in records if one.create_timestamp.timestamp() > began]
    ended = [one for one in ours if one.end_time and one.end_time < asked]
    if code != 128 + signal.SIGINT and len(ended) == 2:  # of its source, and of the rest
        return Canceled(within, ITS_END, ["it ended before it could be canceled"])
    if newest not in ours or newest in ended:
        found = Canceled(within, "between two runs", checkout.faults())
    else:
        found = _judged(checkout, newest.dagster_run.run_id, asked)
    if code != 128 + signal.SIGINT:
        found.faults.append(f"exit code {code}")
    return found


def run_status(checkout: Checkout, run_id: str) -> str:
    with checkout.instance() as instance:
        run = instance.get_run_by_id(run_id)
    return run.status.value if run else "unknown"


def _judged(checkout: Checkout, run_id: str, asked: float, *, at_server: bool = False) -> Canceled:
    """Wait for the end, also of its process, and compare all that must agree."""
    wait_for("the end", lambda: run_status(checkout, run_id) in ENDED, MOST_SECONDS)
    within = time.time() - asked
    # By force, the end is told before the process has come to it.
    wait_for("silence", lambda: _last_told(checkout, run_id) < time.time() - QUIET_SECONDS, 90, 1)
    with checkout.instance() as instance:
        logs = instance.all_logs(run_id)
    events = [(log.timestamp, log.dagster_event) for log in logs if log.dagster_event]
    faults = _faults_of(events, asked)
    # Of what is asked of a server the champion may move until the server has it.
    heard = min(at for at, event in events if event.event_type in _HEARD) if at_server else asked
    if (ended := run_status(checkout, run_id)) != "CANCELED":
        faults.append(f"it ended {ended}")
    wait_for("MLflow's end", lambda: "RUNNING" not in _mlflow_says(checkout, run_id), 90, 1)
    faults += [f"MLflow says {one}" for one in _mlflow_says(checkout, run_id) if one != "KILLED"]
    head = checkout.ledger.head(MODEL)
    if head and head.time.timestamp() > heard:
        faults.append(f"the champion moved to {head.to_version}")
    before = [event.step_key for at, event in events if at < asked and event.is_step_event]
    last = (before[-1] if before else None) or "the queue"
    return Canceled(within, last, faults + checkout.faults())


def _mlflow_says(checkout: Checkout, run_id: str) -> list[str]:
    ours = (run for run in checkout.mlflow_runs() if run.data.tags["dagster/run_id"] == run_id)
    return [run.info.status for run in ours]


def _faults_of(events: list[tuple[float, dg.DagsterEvent]], asked: float) -> list[str]:
    began = {event.step_key: at for at, event in events if event.is_step_start}
    done = [event.step_key for _, event in events if event.is_step_success]
    again = [e.step_key for _, e in events if e.is_step_restarted or e.is_step_up_for_retry]
    late = [step for step in done if began[step] > asked]
    return [f"{step} began later" for step in late] + [f"{step} was retried" for step in again]


def _last_told(checkout: Checkout, run_id: str) -> float:
    with checkout.instance() as instance:
        return max(log.timestamp for log in instance.all_logs(run_id))
