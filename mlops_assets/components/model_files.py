"""The folders below `defs/`: one or more models each, or every fault why they cannot be loaded.

Reads the YAML of a `ModelPipeline` before Dagster does, which would stop at the first fault of the
first file and take all other models with it. Other components are Dagster's own business.
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
from pydantic import ValidationError

from mlops_assets.blocks.base import did_you_mean
from mlops_assets.components.defaults import Written, defaults_file, read_defaults
from mlops_assets.components.documents import Document, DocumentError, read_documents
from mlops_assets.components.faults import Fault, faults_of, with_remedy
from mlops_assets.components.model_pipeline import ModelPipeline
from mlops_assets.components.templates import TemplatedSettings
from mlops_assets.config import ModelSettings
from mlops_assets.dotted import import_object
from mlops_assets.errors import DottedPathError
from mlops_assets.home import endpoints_root

_FILES = ("defs.yaml", "component.yaml")  # what Dagster looks for
_TYPE = "mlops_assets.components.ModelPipeline"
_KEYS = ("attributes", "post_processing", "requirements", "template_vars_module", "type")


class ReadModel(NamedTuple):
    """One sound model, and where it stands."""

    settings: ModelSettings
    written: Written

    @property
    def file(self) -> Path:
        """Its own."""
        return self.written.own.file

    def fault(self, place: str, said: str) -> Fault:
        """What is wrong with its value at a dotted place, e.g. `training.estimator`."""
        found = self.written.find([*place.split(".")])
        return Fault(found.file, found.line, with_remedy(f"{place}: {said}"))

    def own_fault(self, place: str, said: str) -> Fault:
        """The same of what the model itself must say, even if the defaults do."""
        line = self.written.own.find(["attributes", *place.split(".")]).line
        return Fault(self.file, line, with_remedy(f"{place}: {said}"))


class Part(NamedTuple):
    """What is loaded, or left out, as a whole: a folder, or a Python file of the user."""

    path: Path
    file: Path | None = None
    """Its YAML, if it has one."""
    models: tuple[ReadModel, ...] = ()
    """Those of a sound file."""
    faults: tuple[Fault, ...] = ()
    names: tuple[str, ...] = ()
    """What a person may call it: its folder, and the names that its models have or would have."""
    plain: bool = False
    """Whether models are all that its YAML describes: nothing around them that is Dagster's."""
    disputes: tuple[Fault, ...] = ()
    """Where another file, which is left out for it, claims the same name or port."""


def read_parts(defs: Path) -> list[Part]:
    """Every part below the folder `defs`, in the order of paths; a fault condemns the whole part.

    A fault of the defaults is one of each model that has it. Of two models with one name or one
    port, the one that has an endpoint stays, else the one whose folder bears its name, else the
    first.
    """
    defaults = _Defaults.of(defs)
    parts = [_read_part(path, defaults) for path in sorted(_paths(defs))]
    taken: dict[tuple[str, Any], ReadModel] = {}
    kept: dict[Path, Part] = {}
    disputes: dict[Path, list[Fault]] = defaultdict(list)
    for part in sorted(parts, key=_late):
        models = () if part.faults else part.models
        faults = []
        for model in models:
            for place, value, other in _clashes(model, taken):
                said = f"{value} is taken by {_named(other, place)}; choose another"
                faults.append(model.own_fault(place, said))
                said = f"{value} is claimed by {_named(model, place)} too; choose another there"
                disputes[other.file].append(other.own_fault(place, said))
        kept[part.path] = part._replace(faults=(*part.faults, *faults))
    files = [kept[part.path] for part in parts]
    return [part._replace(disputes=tuple(sorted(disputes.get(part.file, ())))) for part in files]


def _named(model: ReadModel, place: str) -> str:
    return f"the model {model.settings.name} of {model.own_fault(place, '').place}"


def _late(part: Part) -> tuple[bool, bool]:
    """Whether it was never served, and whether it bears another name: who yields to the others."""
    names = [model.settings.name for model in part.models]
    served = any(os.access(endpoints_root() / name, os.F_OK) for name in names)
    return not served, part.path.name not in names


def _paths(folder: Path) -> Iterator[Path]:
    """The parts below a folder: folders with a YAML, and Python files elsewhere."""
    for path in folder.iterdir():
        if path.name.startswith((".", "__")):
            continue
        if path.suffix == ".py":
            yield path
        elif path.is_dir() and path.resolve() not in (folder.resolve(), *folder.resolve().parents):
            readable = os.access(path, os.R_OK | os.X_OK)
            yield from [path] if not readable or _yaml_in(path) else _paths(path)


def _yaml_in(folder: Path) -> Path | None:
    """The YAML file of a folder, also where its name is misspelt or it is a link to nothing."""
    names = {path.name.lower(): path for path in sorted(folder.iterdir(), reverse=True)}
    spelt = (*_FILES, *(f"{Path(name).stem}.yml" for name in _FILES))
    return next((names[name] for name in spelt if name in names), None)


class _Defaults(NamedTuple):
    document: Document | None = None
    fault: Fault | None = None

    @classmethod
    def of(cls, defs: Path) -> "_Defaults":
        try:
            return cls(read_defaults(defs))
        except DocumentError as err:
            return cls(fault=Fault(defaults_file(defs), err.line, str(err)))


def _read_part(path: Path, defaults: _Defaults) -> Part:
    part = Part(path, names=(path.name,))
    if not os.access(path, os.R_OK):
        said = "cannot be read: permission denied; correct its permissions"
        return part._replace(faults=(Fault(path, 1, said),))
    file = _yaml_in(path) if path.is_dir() else None
    if file is None:
        return part
    part = part._replace(file=file)
    if file.name not in _FILES:
        said = "Dagster does not read a file of this name; rename it to defs.yaml"
        return part._replace(faults=(Fault(file, 1, said),))
    try:
        documents = read_documents(file)
    except DocumentError as err:
        return part._replace(faults=(Fault(file, err.line, str(err)),))
    if not documents:
        said = "the file is empty; describe a model in it, or delete it"
        return part._replace(faults=(Fault(file, 1, said),))
    read = [_read_document(document, defaults) for document in documents]
    return part._replace(
        models=tuple(model for models, _ in read for model in models),
        plain=all(models and models[0].written.is_alone for models, _ in read),
        faults=tuple(fault for _, faults in read for fault in faults),
        names=(path.name, *filter(None, map(_name_in, documents))),
    )


def _name_in(document: Document) -> str | None:
    """The name of a model, also of one that is not sound."""
    attributes = document.value.get("attributes") if isinstance(document.value, dict) else None
    name = attributes.get("name") if isinstance(attributes, dict) else None
    return name if isinstance(name, str) else None


def _read_document(document: Document, defaults: _Defaults) -> tuple[list[ReadModel], list[Fault]]:
    """The model of a document, or its faults; neither for another component."""
    if shape := _shape_faults(document):
        return [], [Fault(document.file, line, said) for line, said in shape]
    if not _is_model(document.value["type"]):
        return [], []
    if defaults.fault:
        return [], [defaults.fault]
    written = Written(document, defaults.document)
    try:
        settings = TemplatedSettings.model_validate(written.attributes)
    except ValidationError as err:
        return [], faults_of(err, written)
    model = ReadModel(settings, written)
    faults = list(_dagster_faults(model))
    return ([] if faults else [model]), faults


def _shape_faults(document: Document) -> list[tuple[int, str]]:
    """Line and text of what is wrong around the attributes."""
    value, line = document.value, document.node.start_mark.line + 1
    if not isinstance(value, dict):
        found = "nothing" if value is None else f"a {type(value).__name__}"
        return [(line, f"the document is {found}, not keys with values; write type and attributes")]
    faults = [
        (
            document.find([key]).line,
            f"unknown key {key!r}{did_you_mean([str(key)], _KEYS) or f'; choose among {_KEYS}'}",
        )
        for key in value
        if key not in _KEYS
    ]
    if not isinstance(kind := value.get("type"), str):
        faults.append((document.find(["type"]).line, f"`type` is missing; write type: {_TYPE}"))
    elif fault := _type_fault(kind):
        faults.append((document.find(["type"]).line, fault))
    elif _is_model(kind) and not isinstance(value.get("attributes"), dict):
        wrong = "are no keys with values" if value.get("attributes") else "is missing"
        said = f"`attributes` {wrong}; give the keys that docs/reference/yaml.md calls required"
        faults.append((document.find(["attributes"]).line, said))
    return faults


def _type_fault(kind: str) -> str | None:
    try:
        import_object(kind)
    except DottedPathError as err:
        return f"type {kind!r} is no component ({err}); write e.g. {_TYPE}"
    return None


def _is_model(kind: str) -> bool:
    return import_object(kind) is ModelPipeline


def _dagster_faults(model: ReadModel) -> Iterator[Fault]:
    """What only Dagster knows to be wrong: an owner, a cron expression, an asset of `compute`."""
    settings = model.settings
    for at, owner in enumerate(settings.owners):
        if not _is_owner(owner):
            said = f"{owner!r} is no owner; write an e-mail address or team:NAME"
            yield model.fault(f"owners.{at}", said)
    for name, cron in settings.schedule:
        if cron is not None and not _is_cron(cron):
            said = f"{cron!r} is no cron expression; write e.g. '0 0 * * 0' (minute, hour, ...)"
            yield model.fault(f"schedule.{name}", said)


@cache  # many models have the same
def _is_owner(owner: str) -> bool:
    try:
        dg.AssetSpec(key="probe", owners=[owner])
    except dg.DagsterInvalidDefinitionError:
        return False
    return True


@cache
def _is_cron(cron: str) -> bool:
    try:
        dg.ScheduleDefinition(name="probe", cron_schedule=cron, job_name="probe")
    except dg.DagsterInvalidDefinitionError:
        return False
    return True


def _clashes(
    model: ReadModel, taken: dict[tuple[str, Any], ReadModel]
) -> list[tuple[str, Any, ReadModel]]:
    """Place and value of each claim that an earlier model has taken, and who; else it takes."""
    claims: dict[str, Any] = {"name": model.settings.name}
    if model.settings.deployment.target == "local":
        claims["deployment.port"] = model.settings.deployment.port
    clashes = [(*claim, taken[claim]) for claim in claims.items() if claim in taken]
    if not clashes:
        taken.update(dict.fromkeys(claims.items(), model))
    return clashes
