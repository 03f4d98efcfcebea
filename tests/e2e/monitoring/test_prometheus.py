"""The shipped Prometheus and Grafana files, by Prometheus's own tools and on a real server.

Needs `prometheus` and `promtool` (Debian's package `prometheus`) on the PATH.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Generator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from mlops_assets.home import FRAMEWORK_ROOT as ROOT
from mlops_assets.ml.monitoring.drift import Distance, Finding
from mlops_assets.monitoring.drift_facts import drift_gauges
from mlops_assets.monitoring.outcome_facts import performance_gauges, skew_gauges
from mlops_assets.records.monitoring import (
    DriftSummary,
    PerformanceReport,
    PerformanceSummary,
    SkewSummary,
    Window,
)
from mlops_assets.records.profile import Bins, ColumnProfile, Profile
from mlops_assets.records.serving import Endpoint
from resources.deployment import EndpointTargets
from resources.endpoints.client import request
from resources.endpoints.metrics import EndpointMetrics
from sensors.incidents import failing_jobs
from tests.support.served.live_endpoints import Subject, build_versions, free_port, publish
from tests.support.servers import kill_all_with, listens, wait_for

DEPLOY = ROOT / "deploy"
sys.path.insert(0, str(DEPLOY / "grafana"))

from dashboards import BOARDS, FOLDER, render  # noqa: E402

MISSING = shutil.which("promtool") is None
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        MISSING and not os.environ.get("CI"), reason="needs Debian's package prometheus"
    ),
]


def promtool(*arguments: str) -> str:
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=DEPLOY / "prometheus",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    text = (DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_the_configuration_is_valid_and_every_rule_has_a_passing_test() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "rules.yml")
    promtool("test", "rules", "rules_test.yml")
    tests = yaml.safe_load((DEPLOY / "prometheus" / "rules_test.yml").read_text(encoding="utf-8"))
    alerts = [one for test in tests["tests"] for one in test.get("alert_rule_test", ())]
    fired = {one["alertname"] for one in alerts if one["exp_alerts"]}
    silent = {one["alertname"] for one in alerts if not one["exp_alerts"]}
    assert fired == silent == {rule["alert"] for rule in rules() if "alert" in rule}
    computed = [one["expr"] for test in tests["tests"] for one in test.get("promql_expr_test", ())]
    recorded = [rule["record"] for rule in rules() if "record" in rule]
    assert [name for name in recorded if not any(name in one for one in computed)] == []


def test_the_dashboards_are_those_that_the_code_writes() -> None:
    written = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}
    assert written == {f"{board.uid}.json": render(board) for board in BOARDS}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Path, Endpoint]]:
    """A live endpoint, and the folder whose `endpoints` it is in."""
    folder = tmp_path_factory.mktemp("prometheus")
    local = EndpointTargets(root=str(folder / "endpoints"))
    subject = Subject(local, build_versions(folder), publish(folder))
    try:
        yield folder, subject.deploy(1)
    finally:
        local.stop("toy")


@pytest.fixture(scope="module")
def server(live: tuple[Path, Endpoint]) -> Generator[str]:
    """A Prometheus that scrapes a live endpoint once a second."""
    folder, endpoint = live
    reports(EndpointMetrics(root=str(folder / "endpoints")))
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "rules.yml")]
    del config["alerting"]
    (job,) = config["scrape_configs"]
    target = endpoint.url.removeprefix("http://")
    job["static_configs"] = [{"targets": [target], "labels": {"model_name": "toy"}}]
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    with ExitStack() as ends:
        process = subprocess.Popen(
            [
                *("prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"),
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stderr=subprocess.DEVNULL,
        )
        ends.callback(process.wait, 20)
        ends.callback(process.terminate)
        body = json.dumps({"entities": [1, 2]}).encode()
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:  # so that rates have something to rise by
            assert request(endpoint.url, "POST", "/predict", body)[0] == 200
            request(endpoint.url, "POST", "/predict", b'{"entities": [99]}')
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"


def reports(metrics: EndpointMetrics) -> None:
    """What the monitoring job and the sensors write, by their own functions."""
    now = datetime.now(UTC)
    window = Window(start=now, end=now + timedelta(days=1))
    about = {"model": "toy", "model_version": 1, "window": window, "rows": 500}
    calm = DriftSummary(**about, reference_rows=500, verdict="calm", scores={"spend": 0.1})
    spend = ColumnProfile(bins=Bins(points=(1.0,)), counts=(500, 0), sums=(0.0,))
    profile = Profile(rows=500, columns={"spend": spend})
    finding = Finding(profile, profile, {"spend": Distance(0.1, 0.1, 0.1, 0.1, 0.1)}, calm)
    loss = {"log_loss": 0.4}
    good = PerformanceSummary(
        **about, labelled_rows=500, final=True, verdict="good", metrics=loss, estimated=loss
    )
    report = PerformanceReport(windows=(good,))
    metrics.write("toy", "drift", drift_gauges(finding, now))
    metrics.write("toy", "performance", performance_gauges(report, now))
    metrics.write("toy", "skew", skew_gauges(SkewSummary(model="toy", rows=1), ["spend"], now))
    with dg.DagsterInstance.ephemeral() as instance:
        toy_training.execute_in_process(instance=instance)
        metrics.write("toy", "runs", [failing_jobs(instance, "toy")])


@dg.job(tags={"mlops/model": "toy"})
def toy_training() -> None:
    """A run for the sensors to speak about."""


def query(server: str, expression: str) -> list[dict[str, Any]]:
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    status, answer = request(server, "GET", path, None)
    assert status == 200, answer
    return json.loads(answer)["data"]["result"]


def test_every_panel_and_recorded_rule_returns_data(server: str) -> None:
    expressions = [rule["expr"] for rule in rules() if "record" in rule]
    for board in BOARDS:
        for panel in board.panels:
            expressions += [one.replace("$model", "toy") for one in panel.queries.values()]
    assert [one for one in expressions if not query(server, one)] == []


def test_what_alerts_look_at_is_there_before_anything_is_wrong(server: str) -> None:
    looked_at = " ".join(rule["expr"] for rule in rules() if "alert" in rule)
    names = sorted({*re.findall(r"\bmodel_\w+", looked_at)} - {"model_name"})
    assert len(names) > 6
    assert [name for name in names if not query(server, name)] == []


def test_observe_scrapes_what_is_deployed_and_ends_with_the_terminal(
    live: tuple[Path, Endpoint], tmp_path: Path
) -> None:
    folder, endpoint = live
    port = free_port()
    variables = os.environ | {
        "MLOPS_HOME": str(tmp_path / "a state"),
        "MLOPS_ENDPOINTS": str(folder / "endpoints"),
        "MLOPS_PORT_PROMETHEUS": str(port),
    }
    command = [sys.executable, "-m", "mlops_assets", "observe"]
    started = subprocess.Popen(command, env=variables)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for("Prometheus", lambda: listens(port), 60)
        wait_for("its log", lambda: request(url, "GET", "/-/ready", None)[0] == 200, 60)
        (found,) = wait_for("a scrape", lambda: query(url, 'up{model_name="toy"} == 1'), 60)
        assert found["metric"]["instance"] == endpoint.url.removeprefix("http://")
        shown = json.loads(request(url, "GET", "/api/v1/rules", None)[1])["data"]["groups"]
        assert {rule["name"] for group in shown for rule in group["rules"]} >= {
            rule["alert"] for rule in rules() if "alert" in rule
        }
        again = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert again.returncode == 1
        assert "set MLOPS_PORT_PROMETHEUS to another port" in again.stderr
        assert again.stderr.count("\n") == 1
        started.send_signal(signal.SIGINT)
        assert started.wait(30) == 0
        wait_for("its end", lambda: not listens(port), 15)
    finally:
        started.kill()
        kill_all_with("MLOPS_HOME", variables["MLOPS_HOME"])


def test_without_prometheus_it_is_said_what_to_install(tmp_path: Path) -> None:
    variables = os.environ | {"MLOPS_HOME": str(tmp_path), "PATH": "/nowhere"}
    command = [sys.executable, "-m", "mlops_assets", "observe"]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "apt install prometheus" in done.stderr
    assert done.stderr.count("\n") == 1
