"""`mlops`: which verb, where, and how it ends.

What it takes is declared in `cli.parser`, without which nothing else is imported: a verb's own
module is, once it was chosen.
"""

import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from mlops_assets.cli.parser.command_line import parse
from mlops_assets.cli.parser.exit_codes import ExitCode
from mlops_assets.runtime.terminal import watched


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; errors of ours are one line on stderr and exit code 1."""
    verb, chosen = parse(sys.argv[1:] if arguments is None else arguments)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries about each other; tests show them
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # what it did well, we say
    try:
        from mlops_assets.runtime.surroundings import chosen_umask

        chosen_umask()
        if not verb.anywhere:
            enter_project()
        with (
            nullcontext()
            if verb.asks
            else watched(f"mlops {verb.name}", document=getattr(chosen, "as_json", False))
        ):
            return verb.load()(**vars(chosen))
    except BrokenPipeError:
        pass  # whoever read it has read enough: `mlops logs customers | head`
    except KeyboardInterrupt:
        return _canceled()
    except Exception as err:  # the last resort of a command line: a line, and nothing lost
        from mlops_assets.cli.failures import told_of
        from mlops_assets.runtime.interrupts import is_by_interrupt

        if is_by_interrupt(err):
            return _canceled()
        sys.stderr.write(f"{told_of(err)}\n")
    return ExitCode.BAD


def _canceled() -> ExitCode:
    sys.stderr.write("canceled; the same command goes on from here\n")
    return ExitCode.CANCELED


def enter_project() -> None:
    """Work in the project's folder, with its state; all in full, also for what starts elsewhere.

    Raises:
        ConfigError: There is no project.
        StateError: The state folder cannot be used.
    """
    from mlops_assets.home import FRAMEWORK_ROOT, home, project

    os.environ["MLOPS_PROJECT"] = str(project())
    os.environ["MLOPS_HOME"] = str(home())
    if project() != FRAMEWORK_ROOT:
        os.chdir(project())
    use_dagster_home(home())


def use_dagster_home(state: Path) -> Path:
    """Point DAGSTER_HOME into the state folder, unless it is set.

    Raises:
        StateError: It cannot be used.
        ConfigError: MLOPS_DATABASE is no address of a Postgres.
    """
    from mlops_assets.home import database, require_addressable
    from mlops_assets.runtime.atomic import ensure_folder

    ours = state / ("dagster-server" if database() else "dagster")
    named = Path(os.environ.get("DAGSTER_HOME") or ours).absolute()
    folder = ensure_folder(require_addressable(named, "DAGSTER_HOME"))
    os.environ["DAGSTER_HOME"] = str(folder)
    if not (folder / "dagster.yaml").exists():
        from mlops_assets.cli.context import configure_dagster

        configure_dagster(folder)
    elif database():
        from mlops_assets.cli.context import require_chosen_storage

        require_chosen_storage(folder)
    return folder
