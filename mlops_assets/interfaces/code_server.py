"""The process that holds the definitions, as `mlops dev` looks after it.

It is Dagster's own proxy: the server behind it is replaced when the models are read again, while
its runs go on. The proxy does not see that server die, so it is asked now and then.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from resources.dagster.internals import (
    DagsterUserCodeUnreachableError,
    SerializableErrorInfo,
    code_server_client,
    deserialize_value,
)

LOCATION = "mlops_assets"
_LOOK_SECONDS = 5
_SILENT_LOOKS = 3
_RELOAD_SECONDS = 180
_OURS = (".yaml", ".yml", ".py")


def _may_be_ours(path: str) -> bool:
    """Also of a new folder: what is written into it at once is not always told."""
    return path.endswith(_OURS) or Path(path).is_dir()


class CodeServer:
    """The code server that listens on a socket in `folder`, which nobody else can read."""

    def __init__(
        self, folder: Path, module: str = "mlops_assets.definitions", location: str = LOCATION
    ) -> None:
        """Write the workspace file of the UI and the daemon; nothing is started here."""
        self._module, self._location = module, location
        self.workspace = folder / "workspace.yaml"
        self._socket = str(folder / "code.sock")
        server = {"socket": self._socket, "location_name": location}
        content = yaml.safe_dump({"load_from": [{"grpc_server": server}]})
        self.workspace.write_text(content, encoding="utf-8")

    @property
    def command(self) -> Sequence[str]:
        """What starts it."""
        dagster = str(Path(sys.executable).with_name("dagster"))
        named = ["--socket", self._socket, "--location-name", self._location, "-m", self._module]
        return [dagster, "code-server", "start", "--log-level", "warning", *named]

    def look_after(self, models: Path, stop: threading.Event, say: Callable[[str], None]) -> None:
        """Have the models read again when a file of theirs changes, or nobody holds them any more.

        Returns when `stop` is set.
        """
        from watchfiles import DefaultFilter, watch

        wanted, silent, seen = DefaultFilter(), 0, False
        for changes in watch(
            models,
            watch_filter=lambda change, path: _may_be_ours(path) and wanted(change, path),
            rust_timeout=_LOOK_SECONDS * 1000,
            yield_on_timeout=True,
            raise_interrupt=False,
            stop_event=stop,
        ):
            if changes:
                names = sorted({str(Path(path).relative_to(models)) for _, path in changes})
                say(f"changed: {', '.join(names)}; {self.read_again()}")
            elif self.answers():
                silent, seen = 0, True
            else:
                silent += seen
            if silent == _SILENT_LOOKS:
                say(f"the code server does not answer; {self.read_again()}")
                silent = 0

    def answers(self) -> bool:
        """Whether the server behind the proxy does."""
        try:
            code_server_client(self._socket).get_server_id(timeout=_LOOK_SECONDS)
        except DagsterUserCodeUnreachableError:
            return False
        return True

    def read_again(self) -> str:
        """Have the models read again; says what came of it."""
        client = code_server_client(self._socket)
        # It also fails where all that it could not do is to end a server that is dead.
        with suppress(DagsterUserCodeUnreachableError):
            client.reload_code(timeout=_RELOAD_SECONDS)
        try:
            found = deserialize_value(client.list_repositories())
        except DagsterUserCodeUnreachableError as err:
            return f"the models cannot be read again: {err}"
        if isinstance(found, SerializableErrorInfo):
            return f"the models cannot be read: {found.message.strip()}"
        return "the models were read again"
