"""The verb `check`, and what of it a run looks at first: estimator, parameters and loader.

A YAML names those in Python. Loading the definitions cannot look at them, since it imports no
library of a user's model; nor at the source, which only `check` does.
"""

import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import NamedTuple

from mlops_assets.cli.context import (
    chosen_models,
    exit_code,
    load_definitions,
    say_both,
    say_facts,
)
from mlops_assets.cli.facts.records import CheckedModel
from mlops_assets.components.faults import Fault
from mlops_assets.components.model_files import Part, ReadModel, read_parts
from mlops_assets.errors import (
    DottedPathError,
    MlopsError,
    ParameterError,
    SourceError,
    SourceUnavailableError,
)
from mlops_assets.home import home, models_folder
from mlops_assets.keys import TrainingStage
from resources.databases.rows import require_rows
from resources.databases.source import require_usable


def check(models: Sequence[str], *, as_json: bool = False) -> int:
    """Print every fault of the models' YAML files, and what cannot be used of what they name."""
    require_engine()
    definitions = load_definitions()
    chosen, sound, claimed = chosen_models(definitions, models), sound_models(), disputes()
    sources = {model: look_at_source(sound[model]) for model in chosen}
    faults = {
        model: [*claimed[model], *python_faults(sound[model]), *sources[model].faults]
        for model in chosen
    }
    notes = {m: [*sources[m].notes, *promised_in_vain(sound[m])] for m in chosen}
    good = [f"{model}: sound" for model in chosen if not faults[model]]
    good += [f"note: {note}" for model in chosen for note in notes[model]]
    bad = [str(fault) for model in chosen for fault in faults[model]]
    if as_json:
        found = [
            CheckedModel(model=m, faults=[*map(str, faults[m])], notes=[*map(str, notes[m])])
            for m in chosen
        ]
        say_facts(found, "", as_json=True)
    else:
        say_both(good, bad)
    return exit_code(definitions, models, good=not bad)


def require_engine() -> None:
    """Refuse an `MLOPS_ENGINE` that names no engine; that none answers is the doctor's to say.

    Raises:
        ConfigError: It is none; as that is wrong for every model, no model is looked at.
    """
    if address := os.environ.get("MLOPS_ENGINE"):
        from mlops_assets.engines.choice import chosen_engine  # pandas: 0.6 CPU s

        chosen_engine(address, 0, home())


def sound_models() -> dict[str, ReadModel]:
    """The models of every sound file, by name."""
    return {m.settings.name: m for part in _sound_parts() for m in part.models}


def disputes() -> dict[str, tuple[Fault, ...]]:
    """Sound model -> what of it another file claims too, which is left out for that."""
    return {m.settings.name: part.disputes for part in _sound_parts() for m in part.models}


class LookedAt(NamedTuple):
    """What was found of a model's source."""

    faults: list[Fault]
    notes: list[Fault]
    """Why it cannot be looked at from here: no fault of the YAML, since others may be elsewhere."""


def look_at_source(model: ReadModel) -> LookedAt:
    """Whether its files are here, or its database has the table or query with those columns."""
    from mlops_assets.ml.data.sources import find_files

    source = model.settings.source
    place = "source.uri" if source.uri is not None else "source.database"
    try:
        if source.uri is not None:
            find_files(source.uri)
        if source.database is not None:
            require_usable(source)
    except SourceError as err:
        return LookedAt([], [model.fault(place, str(err))])
    try:
        if source.database is not None:
            require_rows(source, model.settings.contract)
    except SourceError as err:
        found = [model.fault(place, str(err))]
        away = isinstance(err, SourceUnavailableError)
        return LookedAt([], found) if away else LookedAt(found, [])
    return LookedAt([], [])


def promised_in_vain(model: ReadModel) -> Iterator[Fault]:
    """What the YAML asks for and does not get by what else it says."""
    if model.settings.source.format != "csv" and "delimiter" in model.written.attributes["source"]:
        said = f"format {model.settings.source.format} has none; remove it, or set `format: csv`"
        yield model.fault("source.delimiter", said)
    if model.settings.training.external_memory and model.settings.partitions is not None:
        yield model.fault(
            "training.external_memory",
            "with `partitions` the rows of all partitions are a frame in memory all the same; "
            "leave out one of the two",
        )


def _sound_parts() -> list[Part]:
    parts = read_parts(models_folder())
    return [part for part in parts if not part.faults]


def python_faults(
    model: ReadModel, stages: Sequence[TrainingStage] = ("raw_data", "trained_model")
) -> Iterator[Fault]:
    """What cannot be imported or built of what these stages use; imports scikit-learn for one."""
    settings = model.settings
    if "raw_data" in stages and settings.source.loader is not None:
        from mlops_assets.ml.data.reading import find_loader

        try:
            find_loader(settings.source.loader)
        except MlopsError as err:
            yield model.fault("source.loader", str(err))
    if "trained_model" not in stages:
        return
    from mlops_assets.ml.training.choice import candidates
    from mlops_assets.ml.training.fit import build_pipeline

    try:
        for candidate in candidates(settings).values():
            build_pipeline(candidate)
    except ParameterError as err:
        yield model.fault(_parameters(model, err), str(err))
    except (DottedPathError, MlopsError) as err:
        yield model.fault("training.estimator", str(err))
    if settings.training.tune and find_spec("optuna") is None:
        said = "needs Optuna, which is not installed; pip install 'mlops-assets[tune]'"
        yield model.fault("training.tune", said)


def _parameters(model: ReadModel, err: ParameterError) -> str:
    """Where the parameter stands that the estimator refused."""
    searched = model.settings.training.tune.params if model.settings.training.tune else {}
    block = "training.tune.params" if err.name in searched else "training.params"
    return f"{block}.{err.name}" if err.name else block
