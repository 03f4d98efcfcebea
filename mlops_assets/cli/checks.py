"""The verb `check`, and what of it a run looks at first: estimator, parameters, loader, database.

A YAML names those in Python or elsewhere. Loading the definitions cannot look at them, since it
imports no library of a user's model and asks no server.
"""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

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
from mlops_assets.errors import DottedPathError, MlopsError, ParameterError
from mlops_assets.home import models_folder
from mlops_assets.keys import TrainingStage
from resources.databases.rows import require_rows
from resources.databases.source import require_usable


def check(models: Sequence[str], *, as_json: bool = False) -> int:
    """Print every fault of the models' YAML files, and what cannot be used of what they name."""
    definitions = load_definitions()
    chosen, sound, claimed = chosen_models(definitions, models), sound_models(), disputes()
    faults = {
        name: [*claimed[name], *python_faults(sound[name]), *database_faults(sound[name])]
        for name in chosen
    }
    good = [f"{model}: sound" for model in chosen if not faults[model]]
    bad = [str(fault) for model in chosen for fault in faults[model]]
    if as_json:
        found = [CheckedModel(model=name, faults=[*map(str, faults[name])]) for name in chosen]
        say_facts(found, "", as_json=True)
    else:
        say_both(good, bad)
    return exit_code(definitions, models, good=not bad)


def sound_models() -> dict[str, ReadModel]:
    """The models of every sound file, by name."""
    return {m.settings.name: m for part in _sound_parts() for m in part.models}


def disputes() -> dict[str, tuple[Fault, ...]]:
    """Sound model -> what of it another file claims too, which is left out for that."""
    return {m.settings.name: part.disputes for part in _sound_parts() for m in part.models}


def _sound_parts() -> list[Part]:
    parts = read_parts(models_folder())
    return [part for part in parts if not part.faults]


def python_faults(
    model: ReadModel, stages: Sequence[TrainingStage] = ("raw_data", "trained_model")
) -> Iterator[Fault]:
    """What cannot be imported or built of what these stages use; imports scikit-learn for one."""
    settings = model.settings
    if "raw_data" in stages:
        yield from _source_faults(model)
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


def database_faults(model: ReadModel) -> Iterator[Fault]:
    """What the database of a model's source says of its table or query, once it can be asked."""
    settings = model.settings
    if settings.source.database is None or any(_source_faults(model)):
        return
    try:
        require_rows(settings.source, settings.contract)
    except MlopsError as err:
        yield model.fault("source.database", str(err))


def _source_faults(model: ReadModel) -> Iterator[Fault]:
    """What is wrong with it that is known on this machine."""
    source = model.settings.source
    try:
        if source.loader is not None:
            from mlops_assets.ml.data.reading import find_loader

            find_loader(source.loader)
        if source.database is not None:
            require_usable(source)
    except MlopsError as err:
        yield model.fault("source.loader" if source.loader else "source.database", str(err))


def _parameters(model: ReadModel, err: ParameterError) -> str:
    """Where the parameter stands that the estimator refused."""
    searched = model.settings.training.tune.params if model.settings.training.tune else {}
    block = "training.tune.params" if err.name in searched else "training.params"
    return f"{block}.{err.name}" if err.name else block
