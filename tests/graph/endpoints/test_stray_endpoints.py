"""A model that serves though its YAML is gone: it is named, and can be stopped."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from mlops_assets.cli.main import main

SERVER = """
import http.server, json

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"model_name": "gone", "model_version": 3, "generation": 1,
                           "entity": {"name": "id"}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_): pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Start]:
    """Starts what stands for the endpoint of a model, found as a real one is."""
    for name in ("MLOPS_HOME", "DAGSTER_HOME", "MLOPS_ENDPOINTS"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    started = []

    def start(model: str) -> subprocess.Popen[str]:
        folder = tmp_path / "mlops_endpoints" / model
        folder.mkdir(parents=True)
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, "mlops_assets.serving.process.supervisor"],
            env=os.environ | {"MLOPS_ENDPOINT": str(folder)},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        launch = {"workers": 1, "environment": {"MLOPS_CODE": "x"}}
        launch["port"] = int(process.stdout.readline())
        (folder / "launch.json").write_text(json.dumps(launch))
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_it_is_named_by_the_status(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    start("gone")
    for verb in (["status"], ["status", "gone"]):
        assert main(verb) == 1
        (line,) = [line for line in capsys.readouterr().out.splitlines() if "gone" in line]
        assert "gone: version 3 at http://127.0.0.1:" in line
        assert line.endswith("; serves, but no YAML describes it: `mlops stop gone`")


@pytest.mark.parametrize("verb", [["stop"], ["stop", "gone"]])
def test_it_is_stopped(start: Start, verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    process, other = start("gone"), start("other")
    assert main(verb) == 0
    # Of the two on board, which never ran, nothing is said.
    assert "".join(capsys.readouterr().out.split()) in ("gone:stopped", "gone:stoppedother:stopped")
    assert process.wait(10) is not None
    assert (other.poll() is None) == ("gone" in verb)
    assert main(["status", "gone"]) == 1
    assert "no model ['gone']" in capsys.readouterr().err
    assert main(["stop", "never"]) == 1


def test_what_was_ended_or_does_not_come_back_is_said_as_json(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    start("gone")
    assert main(["stop", "gone", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"model": "gone", "answered": True}]
    assert main(["up", "never", "--json"]) == 1
    (failed,) = json.loads(capsys.readouterr().out)
    assert (failed["model"], failed["version"]) == ("never", None)
    assert "mlops run never" in failed["error"]
