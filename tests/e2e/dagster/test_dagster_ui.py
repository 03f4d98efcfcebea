"""Dagster as a user meets it: its web page in a browser, behind the guard, and its daemon.

The tests share one server and what it materialized, since each start costs 15 s.
"""

import os
import shutil
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from docs.browser import overflow, sized
from resources.dagster.internals import running_schedules
from resources.deployment import EndpointTargets
from tests.support.runs.small_dagster import LOCATION, dagster_dev, loans, write_loans
from tests.support.servers import free_port, wait_for

pytestmark = pytest.mark.e2e

CLICK, SCHEDULE, SENSOR = "dagster/from_ui", "dagster/schedule_name", "dagster/sensor_name"
STAGES = {
    *("raw_data", "processed_data", "features"),
    *("trained_model", "evaluation_report", "reference_profile", "deployed_endpoint"),
    "batch_predictions",
    *("prediction_log", "labels", "drift_report", "performance_report", "skew_report"),
}
WAITS = "[class*=Skeleton]"
"""What the page shows in place of what it waits for."""
CHECKS = {
    *("version_is_in_the_cache", "contract_holds", "no_row_was_lost", "online_equals_offline"),
    "features_have_values",
    *("model_is_safe_to_load", "model_passes_the_gate", "endpoint_is_live"),
    *("alias_follows_the_ledger", "live_equals_offline", "served_features_equal_offline"),
    *("performance_has_not_degraded", "features_have_not_drifted"),
}


@dataclass(frozen=True)
class Server:
    """A running `dagster dev` and the folder that holds everything of it."""

    url: str
    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "loans.csv"

    @property
    def deployer(self) -> EndpointTargets:
        return EndpointTargets(root=str(self.folder / "state" / "endpoints"))

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"{self.url}/graphql", json=body, timeout=30).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def start_schedule(self) -> None:
        """Switch it on as the UI does."""
        query = """mutation($s: ScheduleSelector!) { startSchedule(scheduleSelector: $s) {
            __typename } }"""
        answer = self.ask(query, s=_selector("schedule", "loans_training_schedule"))
        assert answer["startSchedule"]["__typename"] == "ScheduleStateResult"

    def stop_schedule(self) -> None:
        """Until it stays stopped: the daemon may write its older state over ours."""
        stop = "mutation($id: String!) { stopRunningSchedule(id: $id) { __typename } }"
        query = """query($s: ScheduleSelector!) { scheduleOrError(scheduleSelector: $s) {
            ... on Schedule { scheduleState { id status } } } }"""

        def stopped() -> bool:
            answer = self.ask(query, s=_selector("schedule", "loans_training_schedule"))
            state = answer["scheduleOrError"]["scheduleState"]
            if state["status"] != "STOPPED":
                self.ask(stop, id=state["id"])
                return False
            return True

        wait_for("a stopped schedule", stopped, 20, every=2)

    def launch_training(self) -> None:
        query = """mutation($s: JobOrPipelineSelector!) {
            launchRun(executionParams: { selector: $s }) { __typename } }"""
        answer = self.ask(query, s=_selector("job", "loans_training"))["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess"

    def start_sensor(self) -> None:
        query = """mutation($s: SensorSelector!) { startSensor(sensorSelector: $s) {
            __typename } }"""
        answer = self.ask(query, s=_selector("sensor", "loans_retraining"))["startSensor"]
        assert answer["__typename"] == "Sensor"

    def ticks(self) -> list[dict[str, Any]]:
        """The new-data sensor's finished ticks, newest first."""
        query = """query($s: SensorSelector!) { sensorOrError(sensorSelector: $s) { ... on Sensor {
            sensorState { ticks(limit: 50) { status skipReason runIds error { message } } } } } }"""
        answer = self.ask(query, s=_selector("sensor", "loans_retraining"))
        ticks = answer["sensorOrError"]["sensorState"]["ticks"]
        return [tick for tick in ticks if tick["status"] != "STARTED"]

    def runs(self, tag: str | None = None) -> list[dict[str, Any]]:
        """Oldest first; with a tag only those that carry it."""
        query = "{ runsOrError { ... on Runs { results { runId status tags { key value } } } } }"
        results = self.ask(query)["runsOrError"]["results"]
        found = [run | {"tags": {t["key"]: t["value"] for t in run["tags"]}} for run in results]
        return [run for run in reversed(found) if tag is None or tag in run["tags"]]

    def succeeded(self, tag: str) -> dict[str, Any] | None:
        """The newest run with the tag once it succeeded."""
        for run in self.runs(tag)[-1:]:
            assert run["status"] not in ("FAILURE", "CANCELED"), self.errors(run["runId"])
            return run if run["status"] == "SUCCESS" else None
        return None

    def errors(self, run_id: str) -> list[str]:
        query = """query($id: ID!) { runOrError(runId: $id) { ... on Run {
            eventConnection { events { ... on ErrorEvent { error { message } } } } } } }"""
        events = self.ask(query, id=run_id)["runOrError"]["eventConnection"]["events"]
        return [event["error"]["message"] for event in events if event.get("error")]


def _selector(kind: str, name: str) -> dict[str, str]:
    return {
        "repositoryName": "__repository__",
        "repositoryLocationName": LOCATION,
        f"{kind}Name": name,
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Server]:
    folder, port = tmp_path_factory.mktemp("ui"), free_port()
    running = Server(f"http://127.0.0.1:{port}", folder)
    write_loans(running.source, 400)
    try:
        with dagster_dev(folder, port, loans(running.source, free_port())) as process:
            wait_for("an answer of dagster dev", lambda: _is_loaded(running, process), 90)
            yield running
    finally:
        running.deployer.stop("loans")


def _is_loaded(server: Server, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, (server.folder / "dagster.log").read_text()
    try:
        nodes = server.ask("{ assetNodes { id } }")["assetNodes"]
    except httpx.TransportError:
        return False
    return len(nodes) == len(STAGES) + 1  # the backtest, which stands in a group apart


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Generator[webdriver.Chrome]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        reason = "needs chromium and chromedriver on the PATH"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tmp_path_factory.mktemp("chromium")
    for argument in (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--window-size=1400,900", f"--user-data-dir={profile}"),
    ):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=Service(executable_path=driver))
    yield chrome
    chrome.quit()


def visible(browser: webdriver.Chrome, xpath: str, seconds: float = 20) -> WebElement:
    def found() -> WebElement | None:
        return next((e for e in browser.find_elements(By.XPATH, xpath) if e.is_displayed()), None)

    return wait_for(f"{xpath} on {browser.current_url}", found, seconds)


@pytest.fixture(scope="module")
def clicked(server: Server, browser: webdriver.Chrome) -> dict[str, Any]:
    """The run of a click on "Materialize all"."""
    browser.get(f"{server.url}/locations/{LOCATION}/asset-groups/loans")
    visible(browser, "//*[text()='deployed_endpoint']")
    visible(browser, "//button[normalize-space()='Materialize all']").click()
    return wait_for("the run of the click", lambda: server.succeeded(CLICK), 120)


def test_a_click_materializes_the_whole_graph(server: Server, clicked: dict[str, Any]) -> None:
    run = clicked
    query = """query($id: ID!) { runOrError(runId: $id) { ... on Run {
        assetMaterializations { assetKey { path } } } }
        assetNodes { assetChecksOrError { ... on AssetChecks { checks { name
        executionForLatestMaterialization { status runId } } } } } }"""
    answer = server.ask(query, id=run["runId"])
    events = answer["runOrError"]["assetMaterializations"]
    assert {tuple(event["assetKey"]["path"]) for event in events} == {("loans", s) for s in STAGES}
    checks = [c for node in answer["assetNodes"] for c in node["assetChecksOrError"]["checks"]]
    passed = {"status": "SUCCEEDED", "runId": run["runId"]}
    assert {c["name"]: c["executionForLatestMaterialization"] for c in checks} == dict.fromkeys(
        CHECKS, passed
    )
    (answer,) = server.deployer.predict("loans", [5])
    assert 0 < answer["prediction"] < 1


def test_the_plots_of_an_evaluation_are_pictures(
    server: Server, browser: webdriver.Chrome, clicked: dict[str, Any]
) -> None:
    browser.get(f"{server.url}/assets/loans/evaluation_report")
    # The last: the model card stands before the plots.
    visible(browser, "(//*[text()='[Show Markdown]'])[last()]").click()

    image = visible(browser, "//*[@role='dialog']//img")
    width = "return arguments[0].naturalWidth"
    wait_for("a picture", lambda: browser.execute_script(width, image) > 100, 10)


# Without a browser the room on a page is counted in tests/graph/dagster/test_room_on_a_page.py.
@pytest.mark.thorough
def test_nothing_on_an_asset_s_page_is_cut_off(
    server: Server, browser: webdriver.Chrome, clicked: dict[str, Any]
) -> None:
    sized(browser, 1500, 2400)
    faults = []
    for stage in sorted(STAGES):
        browser.get(f"{server.url}/assets/loans/{stage}")
        visible(browser, "//*[text()='value']")
        visible(browser, "//*[text()='Lineage']")
        wait_for(stage, lambda: not browser.find_elements(By.CSS_SELECTOR, WAITS), 30)
        faults += [f"{stage}: {each}" for each in overflow(browser)]
    assert faults == []


def test_what_is_cut_off_is_found(browser: webdriver.Chrome) -> None:
    rows = "".join(f"<tr><td>{text}</td></tr>" for text in ("short", "line<br>" * 40))
    wide = "<div style='width: 200px; overflow: auto'><p style='width: 300px'>wide</p></div>"
    beside = "<p style='position: absolute; left: 1450px; width: 100px'>beside</p>"
    dots = "<p style='width: 9px; overflow: hidden; text-overflow: ellipsis'>a_long_name</p>"
    sized(browser, 1500, 2400)
    browser.get(f"data:text/html,<table>{rows}</table>{wide}{dots}")
    tall, scrolled = overflow(browser)
    assert "line line" in tall
    assert "hides 100: wide" in scrolled
    browser.get(f"data:text/html,{beside}")
    assert len(overflow(browser)) == 1
    browser.get(f"data:text/html,<p>short</p>{dots}")
    assert overflow(browser) == []


def test_the_daemon_trains_once_for_each_change(server: Server) -> None:
    before = trained_once(server)
    server.start_sensor()
    wait_for("three ticks over unchanged data", lambda: len(server.ticks()) >= 3, 60)
    assert {tick["status"] for tick in server.ticks()} == {"SKIPPED"}

    write_loans(server.source, 420)
    changed = wait_for("a run for the new data", lambda: server.succeeded(SENSOR), 90)
    wait_for("three ticks over unchanged data", lambda: _skipped_since(server.ticks()) >= 3, 60)

    assert changed["tags"]["mlops/trigger"] == "new_data"
    assert [run["runId"] for run in server.runs(SENSOR)] == [changed["runId"]]
    assert_served(server, before + 1)


@pytest.mark.thorough  # minutes of waiting; the gate asks the schedule itself when it runs
def test_the_daemon_trains_on_schedule_and_what_that_has_read_is_no_new_data(
    server: Server,
) -> None:
    before = trained_once(server)
    server.start_sensor()
    server.start_schedule()
    with dg.DagsterInstance.from_config(str(server.folder / "dagster")) as instance:
        assert running_schedules(instance) == {"loans_training_schedule"}
    (scheduled, *_) = wait_for("a run on schedule", lambda: server.runs(SCHEDULE), 90)
    server.stop_schedule()
    wait_for("its success", lambda: server.succeeded(SCHEDULE), 90)
    ticks = len(server.ticks())
    wait_for("three ticks over unchanged data", lambda: len(server.ticks()) >= ticks + 3, 60)

    assert scheduled["tags"]["mlops/trigger"] == "schedule"
    assert_served(server, before + 1)


def trained_once(server: Server) -> int:
    """How many runs there were, at least one: a click's, if there is a browser."""
    if not server.runs():
        server.launch_training()
        wait_for("the first training", lambda: server.succeeded("mlops/model"), 120)
    return len(server.runs())


def assert_served(server: Server, runs: int) -> None:
    """There were so many runs; each made a version, and the last one serves."""
    assert len(server.runs()) == runs
    endpoint = server.deployer.status("loans")
    assert endpoint is not None
    assert endpoint.model_version == runs


def _skipped_since(ticks: list[dict[str, Any]]) -> int:
    """How many ticks skipped since the one that requested a run; 0 before there is one."""
    statuses = [tick["status"] for tick in ticks]
    return statuses.index("SUCCESS") if "SUCCESS" in statuses else 0
