"""A live endpoint with keys and limits: who gets in, and that nobody can stop the others."""

import json
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.records.serving import Endpoint
from resources.deployment import EndpointTargets
from resources.endpoints import api_keys
from resources.endpoints.client import request
from resources.endpoints.process import EndpointProcess
from tests.support.served.live_endpoints import Subject, build_versions, publish
from tests.support.servers import wait_for

pytestmark = pytest.mark.e2e

KEY = api_keys.new_key()
CLIENTS = Path(__file__).parents[2] / "support" / "services" / "bad_clients.py"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> EndpointTargets:
    return EndpointTargets(root=str(tmp_path_factory.mktemp("limits") / "endpoints"))


@pytest.fixture(scope="module")
def subject(local: EndpointTargets) -> Generator[Subject]:
    folder = Path(local.root).parent
    subject = Subject(local, build_versions(folder), publish(folder))
    asked = {"api_keys": {"env": "TOY_KEYS"}, "body_timeout": "2s"}
    settings = subject.settings.model_dump() | asked
    subject.settings = DeploymentSettings.model_validate(settings)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TOY_KEYS", api_keys.digest(KEY))
        subject.deploy(1)
        yield subject
    local.stop("toy")


@pytest.fixture
def endpoint(subject: Subject, local: EndpointTargets) -> Endpoint:
    found = local.status("toy")
    assert found is not None
    return found


def test_keys_are_asked_for_and_stand_nowhere(endpoint: Endpoint, local: EndpointTargets) -> None:
    body = b'{"entities": [1]}'

    status, answer = request(endpoint.url, "POST", "/predict", body)
    assert (status, json.loads(answer)["error"]["code"]) == (401, "unauthorized")
    assert request(endpoint.url, "POST", "/predict", body, key=KEY)[0] == 200
    metrics = request(endpoint.url, "GET", "/metrics", None)[1].decode()
    assert 'model_requests_total{model_name="toy",outcome="refused"} 1.0' in metrics
    for path in ("/livez", "/readyz", "/metrics", "/docs"):
        assert request(endpoint.url, "GET", path, None)[0] == 200, path
    document = json.loads(request(endpoint.url, "GET", "/openapi.json", None, key=KEY)[1])
    assert document["paths"]["/predict"]["post"]["responses"].keys() >= {"401", "408", "504"}

    files = [file for file in Path(local.root).rglob("*") if file.is_file()]
    own = api_keys.operator_key(Path(local.root, "toy"))
    assert not [file for file in files if KEY.encode() in file.read_bytes()]
    holders = [file.name for file in files if own.encode() in file.read_bytes()]
    assert holders == [api_keys.OPERATOR_KEY]


def test_a_new_key_is_admitted_without_a_restart(
    subject: Subject, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = api_keys.new_key()
    monkeypatch.setenv("TOY_KEYS", f"{api_keys.digest(KEY)},{api_keys.digest(other)}")

    assert subject.deploy(1).generation > endpoint.generation

    for key, status in ((KEY, 200), (other, 200), ("third", 401)):
        assert request(endpoint.url, "GET", "/model", None, key=key)[0] == status


@pytest.mark.parametrize(("kind", "count"), [("slow_bodies", 200), ("idle", 10_000)])
def test_bad_clients_do_not_stop_others(
    endpoint: Endpoint, tmp_path: Path, kind: str, count: int
) -> None:
    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    possible = min(count, highest - 500)
    assert possible >= min(count, 5_000), f"the system allows {highest} open files"
    before = milliseconds(endpoint.url)

    held = tmp_path / "held"
    address = endpoint.url.removeprefix("http://")
    command = [sys.executable, CLIENTS, kind, address, str(possible), held, KEY]
    clients = subprocess.Popen(command)
    try:
        wait_for(f"{possible} {kind}", held.exists, 60)
        during = milliseconds(endpoint.url)
    finally:
        clients.kill()
        clients.wait()

    assert int(held.read_text()) == possible, "the endpoint refused some of them"
    figures = f"{kind}: p99 {np.quantile(before, 0.99):.1f} -> {np.quantile(during, 0.99):.1f} ms"
    sys.stdout.write(f"{possible} {figures}\n")
    # Every one of them was answered 200, and none waited for a bad client's time-out (2 s).
    assert max(during) < 1_500, figures


def milliseconds(url: str, requests: int = 200) -> list[float]:
    """How long well-behaved clients wait, each on a new connection; every answer must be 200."""
    taken = []
    for _ in range(requests):
        started = time.perf_counter()
        status, answer = request(url, "POST", "/predict", b'{"entities": [1]}', key=KEY)
        taken.append((time.perf_counter() - started) * 1000)
        assert status == 200, answer
    return taken


def test_a_slow_body_is_answered_408(endpoint: Endpoint, tmp_path: Path) -> None:
    host, port = endpoint.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = f"POST /predict HTTP/1.1\r\nhost: {host}\r\nx-api-key: {KEY}\r\n"
        connection.sendall(f"{head}content-length: 100\r\n\r\n{{".encode())
        answer = b""
        while part := connection.recv(65536):  # ends, since the server closes
            answer += part
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_too_slow"' in answer


def test_a_client_chooses_neither_its_address_nor_its_host(endpoint: Endpoint) -> None:
    """Last of all: its address may try no more keys for a while."""

    def asked(path: str, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.get(endpoint.url + path, headers=named).status_code

    for path in ("/model", "/metrics", "/docs", "/docs.json", "/schema.json"):
        assert asked(path, x_api_key=KEY, host="evil.example") == 403, path
        assert asked(path, x_api_key=KEY, origin="http://evil.example") == 403, path
    tried = [asked("/model", x_api_key=f"{n}", x_forwarded_for=f"192.0.2.{n}") for n in range(60)]
    assert set(tried[:10]) == {401}
    assert 429 in tried  # a client that chose its address would never be
    assert asked("/model", x_api_key=KEY) == 200


def test_a_worker_stands_in_a_folder_without_keys(local: EndpointTargets) -> None:
    for pid in EndpointProcess(Path(local.root, "toy")).workers():
        process = psutil.Process(pid)
        for one in (process, *process.parents()[:2]):  # the template, the supervisor
            assert one.cwd() == "/"
            assert one.environ()["PYTHONSAFEPATH"] == "1"
