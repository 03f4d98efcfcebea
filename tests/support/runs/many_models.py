"""A project of many small models, and what loading it takes: counted, not timed.

`python -m tests.support.runs.many_models FOLDER` loads the project in the folder, and prints the
calls of Python functions and the objects that are left, as a line of JSON.
"""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers import ROOT
from tests.support.tables.yaml_faults import SOUND


def make_project(folder: Path, models: int) -> None:
    """Write the YAML of so many models, `m000` and so on."""
    (folder / "defs").mkdir(parents=True)
    (folder / "mlops.yaml").touch()
    (folder / "defs" / "__init__.py").touch()
    for number in range(models):
        text = SOUND.replace("name: loans", f"name: m{number:03}")
        file = folder / "defs" / f"m{number:03}" / "defs.yaml"
        file.parent.mkdir()
        file.write_text(text.replace("18200", str(18200 + number)), encoding="utf-8")


@contextmanager
def as_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """In this process the folder is the project, with state of its own and nothing loaded yet."""
    from mlops_assets.definitions import _models

    with monkeypatch.context() as changed:
        changed.chdir(folder)
        changed.setenv("MLOPS_PROJECT", str(folder))
        changed.setenv("MLOPS_HOME", str(folder / ".mlops"))
        changed.setenv("DAGSTER_HOME", str(folder / ".mlops" / "dagster"))
        changed.syspath_prepend(str(folder))
        for module in [name for name in sys.modules if name.partition(".")[0] == "defs"]:
            changed.delitem(sys.modules, module)
        _models.cache_clear()
        try:
            yield
        finally:
            _models.cache_clear()
            gc.unfreeze()


def loaded(folder: Path) -> dict[str, int]:
    """What loading a project takes, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.support.runs.many_models", str(folder)],
        cwd=ROOT,
        env=os.environ | {"MLOPS_PROJECT": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Load, and print."""
    from mlops_assets.definitions import defs

    found = {"calls": 0, "signatures": 0}

    def count(frame: object, event: str, _: object) -> None:
        if event == "call":
            found["calls"] += 1
            found["signatures"] += frame.f_code.co_name == "_signature_from_function"  # ty: ignore

    before = len(gc.get_objects())
    sys.setprofile(count)
    try:
        repository = defs().get_repository_def()
    finally:
        sys.setprofile(None)
    graph = repository.asset_graph
    defined = (graph.get_all_asset_keys(), graph.asset_check_keys, repository.job_names)
    defined += (repository.sensor_defs, repository.schedule_defs)
    found["definitions"] = sum(map(len, defined))
    found["models"] = sum(name.endswith("_training") for name in repository.job_names)
    gc.unfreeze()
    gc.collect()
    found["objects"] = len(gc.get_objects()) - before
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main()
