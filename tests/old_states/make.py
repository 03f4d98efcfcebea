"""Make the archive of the state folder that an older commit leaves behind.

`python -m tests.old_states.make COMMIT` writes `tests/old_states/<COMMIT>.tar.xz`; a minute of CPU.

That commit's own code runs, with the libraries of today: a tiny model is trained, deployed and
asked; trained again of more data and deployed as version 2; its log is compacted; it is rolled
back, asked again and paused. What no test reads is left out, and nothing in it names the machine.
"""

import json
import shutil
import subprocess
import sys
import tarfile
from contextlib import closing
from io import BytesIO
from pathlib import Path
from sqlite3 import connect

import yaml

from tests.old_states.unpack import FOLDER, MODEL, PLACE, PORT, relocate
from tests.support.runs.small_dagster import loans, write_loans
from tests.support.servers import ROOT

TOOLS = Path(sys.executable).parent
CODE = ("mlops_assets", "resources", "jobs", "sensors", "pyproject.toml", "dagster.yaml")
CODE += ("workspace.yaml",)
KEPT = ("ledger.db", "decisions.db", "mlflow.db", "mlflow", "endpoints", "predictions", "feast")
NO_NEED = (".lock", ".png", ".log", "-wal", "-shm", "prometheus", "status", "tmp")
ANYBODY = "import socket\nsocket.gethostname = lambda: 'somewhere'\n"
"""For `sitecustomize`: runs are marked with the host's name."""


def main(commit: str) -> None:
    """Let the commit make a state, and pack it; what was made stays if that fails."""
    code = PLACE.with_name(f"{PLACE.name}-code")
    clear(code)
    checkout(commit, code)
    live(code)
    pack(FOLDER / f"{commit}.tar.xz")
    clear(code)


def clear(code: Path) -> None:
    """Delete the state and the commit's code."""
    for folder in (PLACE, code):
        shutil.rmtree(folder, ignore_errors=True)


def checkout(commit: str, folder: Path) -> None:
    """The commit's code with one model and its data."""
    packed = subprocess.run(
        ["git", "archive", commit, *CODE], cwd=ROOT, stdout=subprocess.PIPE, check=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    defs = folder / "mlops_assets" / "defs"
    shutil.rmtree(defs)
    (defs / MODEL).mkdir(parents=True)
    (defs / "__init__.py").touch()
    # Every version passes: what is kept is what a move of the champion leaves behind.
    gate = {"limits": {"roc_auc": {"min": 0.5}}, "against_champion": "off"}
    quiet = {"evaluation": {"primary": "roc_auc", "gate": gate}, "monitoring": {}, "schedule": {}}
    settings = loans(folder / "loans.csv", PORT) | quiet
    document = {"type": "mlops_assets.components.ModelPipeline", "attributes": settings}
    (defs / MODEL / "defs.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    # Kept with each version, and hashed; the whole would be most of the archive.
    (folder / "requirements.lock").write_text("scikit-learn==1.9.1\n", encoding="utf-8")
    (folder / "sitecustomize.py").write_text(ANYBODY, encoding="utf-8")


def live(code: Path) -> None:
    """Two versions, a rollback, and what was asked meanwhile; nothing runs at the end."""
    (code / "project").mkdir()
    write_loans(code / "loans.csv", 300)
    try:
        run(code, "mlops", "run", MODEL)
        write_loans(code / "loans.csv", 330)
        run(code, "mlops", "run", MODEL)
        run(code, "mlops", "stop", MODEL)  # what a live worker writes is not compacted
        log = f'key:"{MODEL}/prediction_log"'
        run(code, "dagster", "asset", "materialize", *LOCATION, "--select", log)
        run(code, "mlops", "rollback", MODEL, "--why", "version 2 was worse")
        run(code, "mlops", "predict", MODEL, "299", "329")
        run(code, "dagster", "sensor", "preview", *LOCATION, f"{MODEL}_retraining")
        run(code, "mlops", "pause", MODEL, "--for", "400d", "--why", "until a test reads it")
    finally:
        run(code, "mlops", "stop", MODEL)


LOCATION = ("-m", "mlops_assets.definitions")


def run(code: Path, *command: str) -> None:
    """Run a tool of this environment over the old code."""
    theirs = {
        "HOME": str(code / "project"),
        "USER": "somebody",
        "LOGNAME": "somebody",
        "PATH": "/usr/bin:/bin",
        "MLOPS_HOME": str(PLACE),
        "DAGSTER_HOME": str(PLACE / "dagster"),
        "MLOPS_DATA_ROOT": str(code / "project"),
        "PYTHONPATH": str(code),
        "PYTHONWARNINGS": "ignore",
    }
    print("$", *command, flush=True)  # noqa: T201
    subprocess.run([TOOLS / command[0], *command[1:]], cwd=code, env=theirs, check=True)


def pack(target: Path) -> None:
    """Whole databases, and of the folders what is needed.

    Raises:
        SystemExit: Something of it would name this machine.
    """
    tidy()
    found = [path for name in KEPT for path in (PLACE / name, *(PLACE / name).rglob("*"))]
    kept = [one for one in sorted(found) if not _is_needless(one)]
    machine = [str(folder).encode() for folder in (ROOT, TOOLS, Path.home())]
    for file in filter(Path.is_file, kept):
        if any(name in file.read_bytes() for name in machine):
            raise SystemExit(f"{file} names this machine; leave it out, or tidy it up")
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for path in kept:
            archive.add(path, str(path.relative_to(PLACE)), recursive=False, filter=_nobodys)


def tidy() -> None:
    """Bring each database into one file; forget where the tools stood that ran and served."""
    with closing(connect(PLACE / "mlflow.db")) as connection, connection:
        relocate(connection, str(TOOLS), "/usr/bin")
    for database in PLACE.rglob("*.db"):
        if not database.read_bytes().startswith(b"SQLite format 3"):  # Feast's registry is not
            continue
        with closing(connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("VACUUM")
    file = PLACE / "endpoints" / MODEL / "launch.json"
    launch = json.loads(file.read_text(encoding="utf-8")) | {"python": "/usr/bin/python3"}
    file.write_text(json.dumps(launch, indent=2), encoding="utf-8")


def _is_needless(path: Path) -> bool:
    if path.name == "requirements.lock":
        return False
    return any(part.endswith(NO_NEED) for part in path.relative_to(PLACE).parts)


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


if __name__ == "__main__":
    main(sys.argv[1])
