"""A Redis of Debian's package on a free port of 127.0.0.1, with a password and its own folder."""

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.servers import free_port, listens, wait_for

PASSWORD = "s3cret-of-redis"


@dataclass
class RedisServer:
    """Keeps what it has in its folder whenever it ends politely."""

    port: int = field(default_factory=free_port)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="mlops-redis-")))

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            reason = "needs Debian's package redis-server"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
        settings = self.folder / "redis.conf"
        settings.write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {self.folder}\nrequirepass {PASSWORD}\n"
            "save 3600 1\nlogfile log\n"
        )
        self._process = subprocess.Popen([program, str(settings)], cwd=self.folder)
        wait_for("Redis", lambda: listens(self.port), 30)

    def end(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)

    @property
    def online_store(self) -> str:
        """As MLOPS_ONLINE_STORE says it; the variable REDIS_PASSWORD has the secret."""
        address = f"127.0.0.1:{self.port},password=${{REDIS_PASSWORD}}"
        return f'{{"type": "redis", "connection_string": "{address}"}}'
