"""`python -m demo`: replay the models, and write the page."""

import argparse
import logging
import os
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from demo.page import write_docs, write_page
from demo.replay import replay
from demo.story import Story
from demo.worlds import WORLDS
from mlops_assets.cli.context import say
from mlops_assets.cli.main import use_dagster_home
from mlops_assets.definitions import build_resources
from mlops_assets.errors import MlopsError
from mlops_assets.home import HOST, home
from mlops_assets.runtime.atomic import ensure_folder
from resources.deployment import EndpointTargets

_OURS = ("MLOPS_", "MLFLOW_", "DAGSTER_")


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay what is asked for; errors of ours are one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"default: {', '.join(WORLDS)}")
    parser.add_argument("--rows", type=int, default=2000, help="predictions a month")
    parser.add_argument("--months", type=int, help="how many are asked; default: all")
    parser.add_argument("--docs", type=Path, metavar="DIR", help="also write demo.md and pictures")
    chosen = parser.parse_args(arguments)
    if not sys.warnoptions:
        # Of libraries about each other; tests show them. Feast undoes a filter.
        logging.captureWarnings(True)
        logging.getLogger("py.warnings").addHandler(logging.NullHandler())
        logging.getLogger("py.warnings").propagate = False
    try:
        folder = fresh(home() / "demo")
        stories = [_replay(model, chosen.rows, chosen.months) for model in chosen.models or WORLDS]
        say(f"page: {write_page(stories, folder)}")
        if chosen.docs:
            write_docs(stories, chosen.docs)
    except MlopsError as err:
        say(f"{type(err).__name__}: {err}", error=True)
        return 1
    return 0


def fresh(folder: Path) -> Path:
    """Make the folder empty and this process's state folder: nothing that is live is touched."""
    left = EndpointTargets(root=str(folder / "endpoints"))
    for name in left.names():
        left.stop(name)
    shutil.rmtree(folder, ignore_errors=True)
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    os.environ["MLOPS_HOME"] = str(ensure_folder(folder))
    use_dagster_home(folder)
    return folder


def _replay(model: str, rows: int, months: int | None) -> Story:
    sources = ensure_folder(home() / "sources")
    return replay(WORLDS[model](sources, free_port()), build_resources(home()), rows, months)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
