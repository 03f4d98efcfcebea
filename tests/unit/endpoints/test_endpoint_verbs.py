"""What the endpoints' verbs say where there is nothing to do."""

import socket
from pathlib import Path

import pytest

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.cli.context import ids
from mlops_assets.cli.endpoints import up
from mlops_assets.errors import ConfigError, PortInUseError
from resources.endpoints.process import require_free


def test_bringing_up_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLOPS_ENDPOINTS", str(tmp_path))
    assert up([]) == 0
    assert "nothing to bring up; one that was stopped" in capsys.readouterr().out


def test_an_id_is_taken_as_it_is_written() -> None:
    numbers, texts = EntitySettings(name="id"), EntitySettings(name="id", dtype="string")
    assert ids(["-7", str(2**53 + 1)], numbers) == [-7, 2**53 + 1]
    assert ids(["007", "1_000", " "], texts) == ["007", "1_000", " "]


@pytest.mark.parametrize("text", ["1_000", " 7", "7.0", "1e3", "", "\u0663", "0x1"])
def test_what_only_python_takes_for_an_integer_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is an integer"):
        ids([text], EntitySettings(name="id"))


def test_a_port_that_is_taken_is_said_with_the_verb_that_reads_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        remedy = (
            rf"{port}: .* set another `deployment\.port` in the YAML, which `mlops run` takes up"
        )
        with pytest.raises(PortInUseError, match=remedy):
            require_free(port)
