"""The shipped Prometheus and Grafana files, by Prometheus's own tools and on a real server.

Needs `prometheus` and `promtool` (Debian's package `prometheus`) on the PATH.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest
import yaml

from resources.deployment import LocalBentoML
from resources.endpoint_client import request
from resources.metrics import EndpointMetrics, Gauge
from tests.live_endpoints import Subject, build_versions, free_port, publish
from tests.test_definitions import ROOT

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


def test_the_configuration_is_valid_and_every_alert_has_a_passing_test() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "rules.yml")
    promtool("test", "rules", "rules_test.yml")
    tests = yaml.safe_load((DEPLOY / "prometheus" / "rules_test.yml").read_text(encoding="utf-8"))
    fired = {
        one["alertname"]
        for test in tests["tests"]
        for one in test.get("alert_rule_test", ())
        if one["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules() if "alert" in rule}


def test_the_dashboards_are_those_that_the_code_writes() -> None:
    written = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}
    assert written == {f"{board.uid}.json": render(board) for board in BOARDS}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A Prometheus that scrapes a live endpoint once a second."""
    folder = tmp_path_factory.mktemp("prometheus")
    local = LocalBentoML(root=str(folder / "endpoints"))
    subject = Subject(local, build_versions(folder), publish(folder))
    endpoint = subject.deploy(1)
    reports(EndpointMetrics(root=str(folder / "endpoints")))
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "rules.yml")]
    del config["alerting"]
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [endpoint.url.removeprefix("http://")]}]
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    with ExitStack() as ends:
        ends.callback(local.stop, "toy")
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
    """What the monitoring job and the sensors would have written."""
    ages = {"": time.time()}
    drift = [
        Gauge(
            name="model_feature_drift",
            help="PSI.",
            labels=("version", "feature"),
            values={("1", "spend"): 0.3},
        ),
        Gauge(name="model_drift_last_run_timestamp_seconds", help="When.", values={(): ages[""]}),
    ]
    quality = Gauge(
        name="model_performance",
        help="Metrics.",
        labels=("metric", "kind"),
        values={("roc_auc", "measured"): 0.8},
    )
    skew = Gauge(
        name="model_feature_skew_ratio", help="Skew.", labels=("feature",), values={("spend",): 0.0}
    )
    runs = Gauge(
        name="model_run_failing", help="Runs.", labels=("job_name",), values={("toy_training",): 0}
    )
    metrics.write("toy", "drift", drift)
    metrics.write("toy", "performance", [quality])
    metrics.write("toy", "skew", [skew])
    metrics.write("toy", "runs", [runs])


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
    # What only a fault makes appear: no request failed here.
    silent = [one for one in expressions if "failed" in one or ":failures:" in one]
    assert [one for one in expressions if one not in silent and not query(server, one)] == []
