"""`mlops`: thin verbs over the same definitions that Dagster loads.

`init` writes the YAML of a table of one's own, `schema` what editors know of such files, `check`
finds every fault of all of them;
`run` brings models up to date and live, `train` and `deploy` are its two halves; `up`, `predict`,
`status` and `stop` talk to the endpoints; `score` asks their versions for many rows at once;
`history`, `rollback` and `promote` look at the champion and move it; `reproduce` trains a version
again and compares; `backtest` says how often to train, by what was;
`why`, `pause` and `resume` look at the retrain policy and hold it;
`dev` starts the user interfaces; `env` prints what plain `dagster` commands need.
"""

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from mlops_assets.cli import (
    checks,
    endpoints,
    monitoring,
    operation,
    promotions,
    reproduction,
    runs,
)
from mlops_assets.cli.backtest import verb as backtest
from mlops_assets.cli.context import configure_dagster, say
from mlops_assets.cli.failures import said_of
from mlops_assets.cli.init import verb as init
from mlops_assets.cli.scoring import verb as scoring
from mlops_assets.errors import FaultyModelError
from mlops_assets.home import FRAMEWORK_ROOT, home, project, require_addressable
from mlops_assets.runtime.atomic import ensure_folder
from mlops_assets.runtime.surroundings import chosen_umask

_FAMILIES = (
    init,
    checks,
    runs,
    endpoints,
    scoring,
    promotions,
    monitoring,
    reproduction,
    backtest,
    operation,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; errors of ours are one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(prog="mlops", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for family in _FAMILIES:
        family.add_verbs(verbs)
    chosen = vars(parser.parse_args(arguments))
    del chosen["verb"]
    run = chosen.pop("run")
    anywhere = chosen.pop("anywhere", False)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries about each other; tests show them
    try:
        chosen_umask()
        if not anywhere:
            enter_project()
        return run(**chosen)
    except Exception as err:  # the last resort of a command line: a line, and nothing lost
        say(str(err) if isinstance(err, FaultyModelError) else said_of(err), error=True)
    except KeyboardInterrupt:
        say("canceled; the same command goes on from here", error=True)
        return 130
    return 1


def enter_project() -> None:
    """Work in the project's folder, with its state; all in full, also for what starts elsewhere.

    Raises:
        ConfigError: There is no project.
        StateError: The state folder cannot be used.
    """
    os.environ["MLOPS_PROJECT"] = str(project())
    os.environ["MLOPS_HOME"] = str(home())
    if project() != FRAMEWORK_ROOT:
        os.chdir(project())
    use_dagster_home(home())


def use_dagster_home(state: Path) -> Path:
    """Point DAGSTER_HOME into the state folder, unless it is set; `StateError` if it cannot be."""
    named = Path(os.environ.get("DAGSTER_HOME") or state / "dagster").absolute()
    folder = ensure_folder(require_addressable(named, "DAGSTER_HOME"))
    os.environ["DAGSTER_HOME"] = str(folder)
    if not (folder / "dagster.yaml").exists():
        configure_dagster(folder)
    return folder
