"""The ports of the user interfaces, as variables move them."""

import os
import socket

from mlops_assets.errors import ConfigError, PortInUseError
from mlops_assets.home import HOST


def free_port(variable: str, default: int) -> int:
    """The port that a variable names, or its default, on which nobody listens yet.

    Raises:
        ConfigError: It is no port.
        PortInUseError: Somebody listens there, or this user may not.
    """
    text = os.environ.get(variable, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ConfigError(f"{variable}={text!r} is no port; write e.g. {default}")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, int(text)))
        except OSError as err:
            raise PortInUseError(
                f"cannot listen on {HOST}:{text}: {err.strerror}. "
                f"Stop what listens there, or set {variable} to another port."
            ) from err
    return int(text)
