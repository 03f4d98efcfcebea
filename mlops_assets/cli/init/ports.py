"""The port of a model that `mlops init` writes: what a person says, or the next one."""

import socket
from collections.abc import Sequence

from mlops_assets.components.model_files import Part
from mlops_assets.errors import ConfigError
from mlops_assets.init.questions import Answers

_FIRST_PORT = 8103


def wanted_port(answers: Answers, parts: Sequence[Part]) -> int:
    """What `--port` says; 0 if it says nothing.

    Raises:
        ConfigError: It is no port, or another model's.
    """
    given = answers.given("port") or "0"
    if not given.isdecimal() or not (given == "0" or 1024 <= int(given) <= 65_535):
        raise ConfigError(f"--port {given!r} is no port; give a number from 1024 to 65535")
    if other := _ports(parts).get(int(given)):
        raise ConfigError(
            f"--port {given}: the model {other!r} has it; give another, or no --port for the next "
            "that is free"
        )
    return int(given)


def free_port(parts: Sequence[Part]) -> int:
    """The next port that no model has and nobody listens on."""
    taken = _ports(parts)
    ports = (port for port in range(_FIRST_PORT, 65_536) if port not in taken)
    return next(port for port in ports if _is_free(port))


def _ports(parts: Sequence[Part]) -> dict[int, str]:
    """Port -> the model that has it."""
    models = [model.settings for part in parts for model in part.models]
    return {one.deployment.port: one.name for one in models}


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
