"""Do versions reproduce? Many are trained while data, code and YAML change, then all are repeated.

In a temporary git repository with one tiny model (`tests/support/services/tiny_repository.py`).
Every fourth version is trained with its change uncommitted. Then `mlops reproduce` runs for each,
in shuffled order, and once more after one byte of a data version was flipped in DVC's cache.
Trainings and commands are forked from a process that has loaded the libraries but nothing of the
project; what `mlops reproduce` starts itself, it starts as ever. Writes `results/reproduce.md`.

    python -m benchmarks.reproduce [VERSIONS]
"""

import contextlib
import hashlib
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.page import publish, sized
from tests.support.services.tiny_repository import MODEL, TRAINING, TinyRepository

CHANGES = ("data", "code", "data and code", "YAML")
LIBRARIES = "dagster", "mlflow.sklearn", "skops.io", "feast", "duckdb", "sklearn.ensemble"


def main(versions: int) -> int:
    """Train, repeat, write; exit code 1 unless all were equal and the flipped byte was named."""
    for library in LIBRARIES:
        __import__(library)
    with tempfile.TemporaryDirectory(prefix="reproduce-benchmark-") as folder:
        repository = TinyRepository.create(Path(folder))
        changes = [change(repository, number) for number in range(1, versions + 1)]
        order = random.Random(0).sample(range(1, versions + 1), versions)
        lines = {number: repeat(repository, number, changes[number - 1]) for number in order}
        named, said = flip(repository, versions)
    equal = sum("| equal |" in line for line in lines.values())
    hashes = {line.split("|")[4] for line in lines.values()}
    summary = f"{equal} of {versions} versions reproduce, with {len(hashes)} different hashes."
    table = "\n".join(lines[number] for number in sorted(lines))
    publish("reproduce", page(summary, table, said))
    print(f"Flipped byte named: {named}")
    return 0 if equal == versions and named else 1


def change(repository: TinyRepository, number: int) -> str:
    """Change something, commit it or not, and train; what was changed."""
    what = CHANGES[number % len(CHANGES)]
    if "data" in what:
        repository.change_data(number)
    if "code" in what:
        repository.change_code(50 + number)
    if what == "YAML":
        repository.change_yaml(leaves=4 + number)
    committed = number % 4 != 1 or number == 1
    if committed:
        repository.commit(what)
    keys = ",".join(f"{MODEL}/{stage}" for stage in TRAINING)
    started = time.monotonic()
    code, output = forked(repository, lambda: materialize(keys))
    print(f"version {number}: {what}, {time.monotonic() - started:.0f} s", flush=True)
    assert code == 0, output
    return what if committed else f"{what}, uncommitted"


def repeat(repository: TinyRepository, number: int, changed: str) -> str:
    """Reproduce one version; its row of the table."""
    started = time.monotonic()
    _, output = forked(repository, lambda: reproduce(f"{MODEL}@{number}"))
    print(f"{output.strip()}  ({time.monotonic() - started:.0f} s)", flush=True)
    verdict = "equal" if f"{MODEL}@{number}: equal" in output else "DIFFERENT"
    shown = next((w for w in output.split() if len(w) == 12 and w.isalnum()), "-")
    return f"| {number} | {changed} | {verdict} | `{shown}` |"


def flip(repository: TinyRepository, newest: int) -> tuple[bool, str]:
    """Flip one byte of the newest version's data in the cache; whether it is named, and how."""
    blob = repository.newest_blob()
    blob.chmod(0o644)
    content = bytearray(blob.read_bytes())
    content[100] ^= 1
    blob.write_bytes(content)
    code, output = forked(repository, lambda: reproduce(f"{MODEL}@{newest}"))
    said = output.strip().splitlines()[-1].replace(str(repository.state), "MLOPS_HOME")
    md5s = blob.parent.name + blob.name, hashlib.md5(content).hexdigest()
    return code == 1 and all(text in said for text in ("loans.csv", *md5s)), said


def materialize(keys: str) -> int:
    """`dagster asset materialize` in this process."""
    from tests.support.runs.dagster_internals import dagster_command

    sys.argv = ["dagster", "asset", "materialize", "-m", "mlops_assets.definitions"]
    sys.argv += ["--select", keys]
    dagster_command()
    return 0


def reproduce(name: str) -> int:
    """`mlops reproduce` in this process."""
    from mlops_assets.cli.main import main as mlops

    return mlops(["reproduce", name])


def forked(repository: TinyRepository, body: Callable[[], int]) -> tuple[int, str]:
    """Exit code and output of `body`, in a child that imports the repository's code."""
    with tempfile.TemporaryFile("w+") as output:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            os.environ.clear()
            os.environ.update(repository.environment)
            os.chdir(repository.root)
            sys.path.insert(0, str(repository.root))
            code = 1
            with contextlib.suppress(BaseException):
                try:
                    code = body()
                except SystemExit as end:
                    code = int(end.code or 0)
            sys.stdout.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read()


def page(summary: str, table: str, said: str) -> str:
    """The result as Markdown."""
    libraries = ", ".join(f"{n} {version(n)}" for n in ("mlflow", "dvc", "scikit-learn", "feast"))
    return (
        "# Reproducing versions\n\n"
        "One version after each change, then `mlops reproduce` "
        "of all\nin shuffled order.\n\n"
        f"**{summary}**\n\nPython {platform.python_version()}, {libraries}.\n\n"
        "| Version | Changed before it | `mlops reproduce` | predictions sha256 |\n"
        "| --- | --- | --- | --- |\n"
        f"{table}\n\n"
        "One byte of a version flipped in DVC's cache; nothing was trained:\n\n"
        f"```\n{said}\n```\n"
    )


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else sized(20, 2)))
