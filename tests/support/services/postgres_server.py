"""A Postgres of Debian's package on a free port of 127.0.0.1, with a data folder of its own.

It refuses to run as root; then it is Debian's user `postgres` who runs it. Ended at once, as by a
power cut, and started again on the same port.
"""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import free_port, listens, wait_for

PASSWORD = "s3cret/p@ss:word?"
QUOTED = "s3cret%2Fp%40ss%3Aword%3F"


def programs() -> Path:
    """The folder of the newest `initdb`; without one a test is skipped, in the gate it fails."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        reason = "needs Debian's package postgresql"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return found[-1]


@dataclass
class PostgresServer:
    """A cluster in `folder` that listens on `port`."""

    folder: Path
    port: int

    @classmethod
    def made(cls) -> "PostgresServer":
        """Initialised and started; everybody has to give the password."""
        folder = Path(tempfile.mkdtemp(prefix="mlops-postgres-", dir="/tmp"))
        server = cls(folder, free_port())
        word = folder / "word"
        word.write_text(PASSWORD)
        if os.getuid() == 0:
            for path in (folder, word):
                shutil.chown(path, "postgres", "postgres")
        flags = ["--auth=scram-sha-256", f"--pwfile={word}", "--username=ada", "--no-sync"]
        server._run("initdb", "-D", str(server.data), *flags, "--encoding=UTF8")
        server.start()
        return server

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def address(self, database: str = "postgres") -> str:
        """As an administrator would give it, without a driver."""
        return f"postgresql://ada:{QUOTED}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The address of one that nobody else uses."""
        name = f"d{os.urandom(6).hex()}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def execute(self, statement: str, address: str = "") -> list[tuple[Any, ...]]:
        """Rows of one statement, past all code of ours."""
        import psycopg2

        connection = psycopg2.connect(address or self.address())
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -F"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", log, "-o", options, "start")
        wait_for("Postgres", lambda: listens(self.port), 30)

    def kill(self) -> None:
        """End it without a goodbye to anybody."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "-m", "immediate", "stop")

    def end(self) -> None:
        """End it if it runs, and delete what it kept."""
        if listens(self.port):
            self.kill()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        root = os.getuid() == 0
        said = self.folder / "said"
        with said.open("wb") as output:  # a pipe would be held by the server
            done = subprocess.run(
                [str(programs() / program), *arguments],
                cwd=self.folder,
                user="postgres" if root else None,
                group="postgres" if root else None,
                extra_groups=[] if root else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        assert done.returncode == 0, said.read_text()
