"""Where a model is served is known whatever its YAML says, and it is never served in two places."""

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.cli.endpoints import status_line
from mlops_assets.errors import DeploymentError
from mlops_assets.status.facts import _state
from resources.champion.ledger import PromotionLedger
from resources.cluster.applied import Applied, write_applied
from resources.deployment import EndpointTargets
from tests.support.served.served_models import Built, build, no_online

SERVED: dict[str, Any] = {
    "model_name": "toy",
    "model_version": 3,
    "generation": 7,
    "entity": {"name": "customer_id", "dtype": "int64"},
    "prediction_log": {"failures": 0, "error": None},
}


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = json.dumps(SERVED).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Generator[str]:
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def targets(tmp_path: Path, url: str) -> EndpointTargets:
    applied = Applied.model_validate(
        {
            "target": "kserve",
            "namespace": "mlops",
            "url": url,
            "generation": 7,
            "replicas": 2,
            "start_timeout": "1s",
            "scheduling_timeout": "1s",
            "objects": [],
        }
    )
    write_applied(tmp_path / "toy", applied)
    return EndpointTargets(root=str(tmp_path), shared=str(tmp_path))


def test_a_model_in_a_cluster_is_found_there(targets: EndpointTargets, url: str) -> None:
    endpoint = targets.status("toy")
    assert endpoint is not None
    assert (endpoint.url, endpoint.model_version, endpoint.workers) == (url, 3, 2)
    assert targets.status("other") is None
    assert not targets.stopped("toy")


def test_a_status_says_that_nothing_is_logged(
    targets: EndpointTargets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = PromotionLedger(database=str(tmp_path / "ledger.db"))
    assert status_line(targets, ledger, "toy")[1]
    full = {"failures": 7, "error": "the log's 2 MB are full"}
    monkeypatch.setitem(SERVED, "prediction_log", full)
    said, good = status_line(targets, ledger, "toy")
    assert said.endswith(", but predictions are not logged: the log's 2 MB are full")
    assert not good
    assert _state(targets.status("toy"), []) == (
        "odd",
        "predictions are not logged: the log's 2 MB are full",
    )


def test_it_is_ended_before_it_moves_to_this_machine(
    targets: EndpointTargets, tmp_path: Path
) -> None:
    built: Built = build(tmp_path / "built")
    files = (built.servable, built.model_file, built.recorded)
    with pytest.raises(DeploymentError, match=r"served by target kserve.*`mlops stop toy`"):
        targets.deploy(*files, no_online(), DeploymentSettings(port=18999))
    assert not (tmp_path / "toy/versions").exists()


def test_up_is_for_what_ran_on_this_machine_last(targets: EndpointTargets) -> None:
    for file in ("verified.json", "launch.json"):  # as if it had moved from here to the cluster
        (Path(targets.root) / "toy" / file).touch()
    assert targets.names() == []
    with pytest.raises(DeploymentError, match=r"target kserve last, not here; run `mlops run toy`"):
        targets.up("toy")
    (Path(targets.root) / "toy/cluster.json").unlink()
    assert targets.names() == ["toy"]
    with pytest.raises(DeploymentError, match=r"has a damaged verified\.json or launch\.json"):
        targets.up("toy")
    (Path(targets.root) / "toy/stopped").touch()
    assert targets.names() == []
    (Path(targets.root) / "toy/stopped").unlink()
    (Path(targets.root) / "toy/launch.json").unlink()
    assert targets.names() == []
