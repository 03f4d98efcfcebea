"""What every verb needs: the definitions, the models chosen, the resources, and a voice.

No verb stands here, and what each takes is declared in `cli.parser`.
"""

import os
import re
import sys
from collections.abc import Collection, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from mlops_assets.blocks.base import Record, did_you_mean
from mlops_assets.blocks.data import EntitySettings
from mlops_assets.components.loading import fault_lines, left_out
from mlops_assets.components.settings import loaded_models
from mlops_assets.errors import ConfigError, FaultyModelError, StateError
from mlops_assets.home import DATABASE, FRAMEWORK_ROOT, database, home
from mlops_assets.runtime import terminal
from mlops_assets.runtime.atomic import exclusive_as, write_atomically
from resources.champion.by_hand import Promotions

_PACKAGED = FRAMEWORK_ROOT / "mlops_assets" / "dagster.yaml"  # where a wheel puts it
_DAGSTER_YAML = _PACKAGED if _PACKAGED.exists() else FRAMEWORK_ROOT / "dagster.yaml"
_FOLDERS = ("storage", "local_artifact_storage", "compute_logs")
"""Which Dagster by itself has in DAGSTER_HOME."""
_CHOSEN_STORAGE = {
    "custom": {
        "module": "resources.dagster.storage",
        "class": "ChosenStorage",
        "config": {"base_dir": {"env": "DAGSTER_HOME"}},
    }
}


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
    if database():
        settings["storage"] = _CHOSEN_STORAGE
    write_atomically(
        folder / "dagster.yaml",
        lambda file: file.write_text(yaml.safe_dump(settings), encoding="utf-8"),
    )
    return folder


def require_chosen_storage(folder: Path) -> None:
    """Refuse a DAGSTER_HOME that keeps its runs in files, where a Postgres is asked for."""
    file = folder / "dagster.yaml"
    if "storage" not in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}):
        raise StateError(
            f"{DATABASE} is set, but {file} keeps the runs of Dagster in files; name another "
            "DAGSTER_HOME, or copy the block `storage` of the shipped dagster.yaml there"
        )


@contextmanager
def alone(model: str) -> Generator[None]:
    """Run a model in no other command at once; says for whom it waits."""
    began = f"{datetime.now(UTC):%H:%M:%S} UTC"
    who = f"`{' '.join(['mlops', *sys.argv[1:]])}` (process {os.getpid()}), begun {began}"
    with exclusive_as(
        home() / "locks" / f"{model}.lock", who, lambda other: say(f"{model}: waits for {other}")
    ):
        yield


def said_who_runs(model: str, other: dg.DagsterRun) -> str:
    """For which run of Dagster a command waits, and who launched it."""
    by = other.tags.get("mlops/launched_by") or other.tags.get("mlops/user") or "Dagster"
    return f"{model}: waits for run {other.run_id[:8]} of {other.job_name}, launched by {by}"


def exit_code(definitions: dg.Definitions, models: Sequence[str], *, good: bool) -> int:
    """0 if all is good, 1 otherwise, of a verb that means every model when it names none.

    Then it also says which ones that did not mean, since their YAML has faults.
    """
    faulty = [] if models else fault_lines(definitions)
    say_both([], faulty)
    return 1 if faulty or not good else 0


def say(text: str, *, error: bool = False) -> None:
    """Print a line at once; the one place where the command line speaks."""
    terminal.line(text, error=error)


def say_both(good: Sequence[str], bad: Sequence[str]) -> int:
    """Print what went well and what did not; the exit code."""
    for line in good:
        say(line)
    for line in bad:
        say(line, error=True)
    return 1 if bad else 0


def say_facts(facts: Record | Sequence[Record], text: str, *, as_json: bool) -> None:
    """Print what was found: for a person, or as one JSON document."""
    if not as_json:
        say(text)
    elif isinstance(facts, Record):
        terminal.document(facts.model_dump_json())
    else:
        terminal.document(f"[{','.join(one.model_dump_json() for one in facts)}]")


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def ids(entities: Sequence[str], entity: EntitySettings) -> list[int | str]:
    """Entities as a request has them; `ConfigError` for what is no integer where all are."""
    if entity.dtype == "string":
        return list(entities)
    # `int` would take more: "1_000", " 7", digits of other scripts.
    if wrong := [text for text in entities if not re.fullmatch("-?[0-9]+", text)]:
        raise ConfigError(f"`{entity.name}` is an integer, which {wrong} are not; correct them")
    return [int(text) for text in entities]
