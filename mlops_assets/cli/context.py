"""What every verb needs: the definitions, the models chosen, the resources, and a voice.

No verb stands here, and what each takes is declared in `cli.parser`.
"""

import sys
from collections.abc import Collection, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from mlops_assets.blocks.base import did_you_mean
from mlops_assets.components.loading import fault_lines, left_out
from mlops_assets.components.settings import loaded_models
from mlops_assets.errors import ConfigError, FaultyModelError
from mlops_assets.home import FRAMEWORK_ROOT
from mlops_assets.runtime.atomic import write_atomically
from resources.champion.by_hand import Promotions

_PACKAGED = FRAMEWORK_ROOT / "mlops_assets" / "dagster.yaml"  # where a wheel puts it
_DAGSTER_YAML = _PACKAGED if _PACKAGED.exists() else FRAMEWORK_ROOT / "dagster.yaml"
_FOLDERS = ("storage", "local_artifact_storage", "compute_logs")


def load_definitions() -> dg.Definitions:
    """Every sound model; `components.loading.left_out` tells of the others."""
    from mlops_assets.definitions import build_definitions  # loads all; `mlops --help` need not

    return build_definitions()


def chosen_models(
    definitions: dg.Definitions, models: Sequence[str], others: Collection[str] = ()
) -> list[str]:
    """The models named, or all: the sound ones, and `others`, which need no YAML here.

    Raises:
        ConfigError: There is no such model.
        FaultyModelError: Its YAML has faults.
    """
    known = sorted({*loaded_models(definitions), *others})
    unknown = sorted(set(models) - set(known))
    faulty = [
        line
        for names, faults in left_out(definitions).items()
        if {*names} & {*unknown}
        for line in faults
    ]
    if faulty:
        raise FaultyModelError("\n".join(dict.fromkeys(faulty)))
    if unknown:
        raise ConfigError(f"no model {unknown}; there are {known}{did_you_mean(unknown, known)}")
    return list(models) or known


def open_resources(
    definitions: dg.Definitions, *roles: str, instance: dg.DagsterInstance | None = None
) -> AbstractContextManager[Any]:
    """The resources of these roles, set up as for a run; an attribute each."""
    resources = definitions.resources or {}
    return dg.build_resources({role: resources[role] for role in roles}, instance)


@contextmanager
def open_promotions(definitions: dg.Definitions, model: str) -> Generator[Promotions]:
    """The champion of one model, with what can move it."""
    chosen_models(definitions, [model])
    settings = loaded_models(definitions)[model].deployment
    with open_resources(definitions, "tracking", "ledger", "deployment") as built:
        yield Promotions(model, settings, built.tracking, built.ledger, built.deployment)


def configure_dagster(folder: Path) -> Path:
    """The same folder, a DAGSTER_HOME of ours: with the settings of this project's dagster.yaml.

    Of another one Dagster would report its use.
    """
    text = _DAGSTER_YAML.read_text(encoding="utf-8")
    settings = {k: v for k, v in yaml.safe_load(text).items() if k not in _FOLDERS}
    write_atomically(
        folder / "dagster.yaml",
        lambda file: file.write_text(yaml.safe_dump(settings), encoding="utf-8"),
    )
    return folder


def exit_code(definitions: dg.Definitions, models: Sequence[str], *, good: bool) -> int:
    """0 if all is good, 1 otherwise, of a verb that means every model when it names none.

    Then it also says which ones that did not mean, since their YAML has faults.
    """
    faulty = [] if models else fault_lines(definitions)
    say_both([], faulty)
    return 1 if faulty or not good else 0


def say(text: str, *, error: bool = False) -> None:
    """Print a line at once; the one place where the command line speaks."""
    print(text, file=sys.stderr if error else sys.stdout, flush=True)


def say_both(good: Sequence[str], bad: Sequence[str]) -> int:
    """Print what went well and what did not; the exit code."""
    for line in good:
        say(line)
    for line in bad:
        say(line, error=True)
    return 1 if bad else 0
