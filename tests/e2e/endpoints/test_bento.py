"""A Bento of what is deployed: built offline, served from elsewhere, the same numbers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.runtime.telemetry import SWITCHES
from resources.endpoints import api_keys
from resources.endpoints.bento import BentoBuilder
from resources.endpoints.client import request
from resources.endpoints.folder import EndpointFolder
from tests.support.served.live_endpoints import publish
from tests.support.served.served_models import Built, build
from tests.support.servers import end_group, free_port, wait_for

pytestmark = pytest.mark.e2e

KEY = api_keys.new_key()


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Built:
    """A version as the deployer leaves it in the endpoint's folder."""
    monkeypatch.setenv("TOY_KEYS", api_keys.digest(KEY))
    settings = DeploymentSettings.model_validate({"port": 3000, "api_keys": {"env": "TOY_KEYS"}})
    folder, built = EndpointFolder(tmp_path / "endpoints" / "toy"), build(tmp_path)
    version = folder.stage(built.servable, built.model_file, built.recorded)
    folder.mark_verified(folder.wanted(built.servable, version, publish(tmp_path), settings))
    return built


def test_a_bento_serves_the_same_numbers_elsewhere(tmp_path: Path, built: Built) -> None:
    bentos = BentoBuilder(endpoints=str(tmp_path / "endpoints"), root=str(tmp_path / "bentoml"))
    bento = bentos.build("toy")
    assert bentos.build("toy") == bento
    check_image(bento)
    check_no_secret(bento, tmp_path)

    port, elsewhere = free_port(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with (tmp_path / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "bentoml", "serve", f"toy:{bento.name}"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            cwd=elsewhere,
            env={**keep, "BENTOML_HOME": str(tmp_path / "bentoml")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for("the Bento's answer", lambda: ready(url), 90)
        body = json.dumps({"rows": [one.features for one in built.recorded]}).encode()
        assert request(url, "POST", "/predict_features", body)[0] == 401
        status, answer = request(url, "POST", "/predict_features", body, key=KEY)
        assert status == 200, answer
        got = [one["prediction"] for one in json.loads(answer)["predictions"]]
        assert got == pytest.approx([one.scores[0] for one in built.recorded], abs=1e-9)
        status, answer = request(url, "POST", "/predict", b'{"entities": [2]}', key=KEY)
        assert (status, json.loads(answer)["predictions"][0]["customer_id"]) == (200, 2)
    finally:
        end_group(server)


def ready(url: str) -> bool:
    try:
        return request(url, "GET", "/readyz", None)[0] == 200
    except DeploymentError:
        return False


def check_image(bento: Path) -> None:
    """What `bentoml containerize` would build, read as text: no engine is needed."""
    lines = (bento / "env" / "docker" / "Dockerfile").read_text().splitlines()
    users = [number for number, line in enumerate(lines) if line.startswith("USER ")]
    assert [lines[number] for number in users] == ["USER bentoml"]
    assert users[0] < next(n for n, line in enumerate(lines) if line.startswith("ENTRYPOINT"))
    assert "ARG BENTO_USER_UID=1034" in lines
    assert "ENV BENTOML_HOME=/home/bentoml/" in lines
    assert "FROM python:3.11-slim AS base-container" in lines
    for name, value in SWITCHES.items():
        assert any(f"{name}={value}" in line for line in lines), name
    pinned = (bento / "env" / "python" / "requirements.txt").read_text().split()
    names = {line.partition("==")[0] for line in pinned}
    assert {"onnxruntime", "bentoml"} <= names
    assert not {"feast", "pandas", "scikit-learn"} & names  # read and computed without them
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in pinned), pinned


def check_no_secret(bento: Path, state: Path) -> None:
    """Neither a key nor the deployer's digest; the digests of the clients' keys are needed."""
    content = b"".join(file.read_bytes() for file in bento.rglob("*") if file.is_file())
    own = api_keys.operator_key(state / "endpoints" / "toy")
    assert KEY.encode() not in content
    assert own.encode() not in content
    assert api_keys.digest(own).encode() not in content
    assert api_keys.digest(KEY).encode() in content


def test_nothing_deployed_is_nothing_to_build(tmp_path: Path) -> None:
    bentos = BentoBuilder(endpoints=str(tmp_path), root=str(tmp_path / "bentoml"))
    with pytest.raises(DeploymentError, match="no version of 'toy' is deployed; run `mlops run"):
        bentos.build("toy")
