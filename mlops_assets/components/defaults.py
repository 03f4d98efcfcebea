"""What every model of a project has by default: attributes in one file, under each model's own.

Dagster's components have nothing of the kind: `post_processing` comes after a component was built,
and a template stands for one value. The file bears no name that Dagster looks for.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import model_validator

from mlops_assets.components.documents import Document, DocumentError, Found, read_documents
from mlops_assets.components.templates import TemplatedSettings
from mlops_assets.errors import FaultyModelError
from mlops_assets.home import models_folder

FILE = "defaults.yaml"
"""In the folder of the models."""


class Written(NamedTuple):
    """A model's attributes as files say them: its own, over the project's defaults."""

    own: Document
    defaults: Document | None = None

    @property
    def attributes(self) -> Any:
        """All of them, as one block."""
        own = self.own.value["attributes"]
        return merged(self.defaults.value, own) if self.defaults else own

    @property
    def is_alone(self) -> bool:
        """Whether its document has nothing else that Dagster would have to do."""
        return set(self.own.value) == {"type", "attributes"}

    def find(self, place: list[str | int]) -> Found:
        """What stands at a place below `attributes`, in the file that says it."""
        own = self.own.find(["attributes", *place])
        own = own._replace(place=own.place[1:])
        if self.defaults is None:
            return own
        shared = self.defaults.find(place)
        # A block that only the defaults have: a key of its name elsewhere in the model is no match.
        theirs = place[:1] == list(shared.place[:1]) != list(own.place[:1])
        return shared if theirs or len(shared.place) > len(own.place) else own


class ProjectSettings(TemplatedSettings):
    """`TemplatedSettings` over the defaults of the project: for Dagster, which reads one file."""

    @model_validator(mode="before")
    @classmethod
    def _over_the_defaults(cls, own: Any) -> Any:
        return over_defaults(own, models_folder())

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The schema of `TemplatedSettings`, in which nothing is missing that the defaults give."""
        return without_given(super().model_json_schema(*args, **kwargs), models_folder())


def defaults_file(models: Path) -> Path:
    """The file of the defaults of a folder of models, also where its name is misspelt."""
    names = (f"{Path(FILE).stem}.yml", FILE)
    found = [file for file in models.glob("*.y*ml") if file.name.lower() in names]
    return next((file for file in sorted(found) if file.name != FILE), models / FILE)


def read_defaults(models: Path) -> Document | None:
    """The attributes that the models in a folder have by default; None if no file gives any.

    Raises:
        DocumentError: There is such a file, and it cannot be used.
    """
    file = defaults_file(models)
    if file.name != FILE:
        raise DocumentError(1, f"nothing reads a file of this name; rename it to {FILE}")
    if not os.path.lexists(file):
        return None
    documents = read_documents(file)
    if len(documents) > 1:
        line = documents[1].node.start_mark.line + 1
        raise DocumentError(line, "a second document; write all defaults in one")
    if not documents or documents[0].value is None:
        return None  # all of it is a comment
    (document,) = documents
    for line, said in _shape_faults(document):
        raise DocumentError(line, said)
    return document


def _shape_faults(document: Document) -> Iterator[tuple[int, str]]:
    if not isinstance(document.value, dict):
        found = type(document.value).__name__
        yield document.find([]).line, f"a {found}, not keys with values; write e.g. owners: [...]"
        return
    for key in ("type", "attributes", "name"):
        if key in document.value:
            said = "here are only attributes, and nothing around them; remove it"
            if key == "name":
                said = "a name is of one model; write it in the model's own file"
            yield document.find([key]).line, f"{key}: {said}"


def defaults_of(models: Path) -> dict[str, Any]:
    """The attributes that the models in a folder have by default.

    Raises:
        FaultyModelError: Their file cannot be used.
    """
    try:
        document = read_defaults(models)
    except DocumentError as err:
        raise FaultyModelError(f"{defaults_file(models)}:{err.line}: {err}") from err
    return document.value if document else {}


def over_defaults(own: Any, models: Path) -> Any:
    """A model's own attributes over the defaults of a folder of models."""
    return merged(defaults_of(models), own) if isinstance(own, Mapping) else own


def without_given(schema: dict[str, Any], models: Path) -> dict[str, Any]:
    """The JSON schema of attributes, in which nothing is missing that the defaults give."""
    _make_optional(schema, defaults_of(models), schema)
    return schema


def merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A model's own attributes over the defaults: block by block, a list or value in its place.

    A null of its own takes a default away. Parameters go with the estimator: they are taken whole,
    and not by a model that names another one.
    """
    ours, theirs = own.get("training"), defaults.get("training")
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        estimator = ours.get("estimator", theirs.get("estimator"))
        if ours.get("params") or estimator != theirs.get("estimator"):
            defaults = {**defaults, "training": {**theirs, "params": {}}}
    return _laid_over(defaults, own)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {**below, **above}
    for key in below.keys() & above.keys():
        old, new = below[key], above[key]
        if new is None:
            del both[key]
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            both[key] = _laid_over(old, new)
    return both


def _make_optional(block: Any, given: Any, schema: Mapping[str, Any]) -> None:
    """Strike what is `given` from the required keys of a block's schema, and of those below it."""
    if not isinstance(block, dict) or not isinstance(given, dict):
        return
    for part in (*block.get("anyOf", ()), *block.get("allOf", ())):
        _make_optional(part, given, schema)
    if reference := block.get("$ref"):
        _make_optional(schema["$defs"][reference.rpartition("/")[2]], given, schema)
    if "required" in block:
        block["required"] = [key for key in block["required"] if key not in given]
    for key, value in given.items():
        _make_optional(block.get("properties", {}).get(key), value, schema)
