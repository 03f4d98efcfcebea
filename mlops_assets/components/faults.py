"""What is wrong in a YAML file, in one line: `FILE:LINE: what; remedy`."""

import re
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from mlops_assets.blocks.base import MisfitError, did_you_mean
from mlops_assets.blocks.training import NESTED, NestedEstimator
from mlops_assets.components.defaults import Written
from mlops_assets.config import ModelSettings

_ADVICE = {
    r"^[a-z][a-z0-9_]*$": "write lower-case letters, digits and `_`, beginning with a letter",
    r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$": "write a dotted path, e.g. package.module.name",
    r"^[1-9]\d* (day|week|month|year)s?$": "write e.g. 1 day, 2 weeks, 3 months or 1 year",
    r"^[1-9]\d* (second|minute|hour|day|week|month|year)s?$": "write e.g. 2 hours, 1 day, 3 months",
}
"""Pattern -> how to fulfil it; others are shown as they are."""


_PLAIN = {
    "bool_parsing": "is neither true nor false; write one of them",
    "bool_type": "is neither true nor false; write one of them",
    "int_parsing": "is no whole number; write one",
    "int_from_float": "is no whole number; write one",
    "tuple_type": "is no list; write it in brackets: [...]",
    "list_type": "is no list; write it in brackets: [...]",
}
"""Kind of pydantic's error -> what it says of a value in the YAML, with the remedy."""
_REMEDIES = {
    "less_than": "; write a smaller number",
    "less_than_equal": "; write a smaller number",
    "greater_than": "; write a larger number",
    "greater_than_equal": "; write a larger number",
}
_LONGEST = 1000


class Fault(NamedTuple):
    """One error of one file; its text is the line that a person reads."""

    file: Path
    line: int
    said: str

    def __str__(self) -> str:
        said = " ".join(self.said.split())
        if len(said) > _LONGEST:  # a table of a thousand columns; the remedy stands at the end
            said = f"{said[: _LONGEST - 200]} ... {said[-200:]}"
        return f"{self.place}: {said}"

    @property
    def place(self) -> str:
        """`FILE:LINE`, as a person calls the file from here."""
        try:
            file = self.file.relative_to(Path.cwd())
        except ValueError:  # elsewhere
            file = self.file
        return f"{file}:{self.line}"


def faults_of(err: ValidationError, written: Written) -> list[Fault]:
    """Each fault that pydantic found in the attributes of a model, in the order of lines."""
    said: dict[tuple[Path, int, str], str] = {}
    for error in err.errors(include_url=False):
        for place, what in _misfits(error):
            found = written.find(place)
            where = ".".join(found.place)
            # The members of a union, e.g. bool | int | str, each complain; one line says it.
            if what and found.text and "{{" in found.text:  # the value may be a secret
                what = what.replace(repr(error["input"]), found.text)
            at = (found.file, found.line, where)
            said.setdefault(at, what or _what(error, found.text))
    lines = [
        Fault(file, line, with_remedy(f"{where}: {what}" if where else what))
        for (file, line, where), what in said.items()
    ]
    return sorted(lines, key=lambda fault: (fault.file, fault.line))


def with_remedy(said: str) -> str:
    """The same; with the plainest remedy, if it has none yet."""
    return said if ";" in said else f"{said}; correct it"


def _misfits(error: ErrorDetails) -> Iterator[tuple[list[str | int], str | None]]:
    """Place and text of each fault; without a text where it is pydantic's own."""
    cause = error.get("ctx", {}).get("error")
    place = [part for part in error["loc"] if not re.fullmatch("<.*>", str(part))]
    if isinstance(cause, MisfitError):
        for misfit in cause.misfits:
            yield [*place, *misfit.at.split(".")], misfit.said
    else:
        yield place, str(cause) if cause else None


def _what(error: ErrorDetails, text: str | None) -> str:
    """Pydantic's error in our words."""
    kind, context = error["type"], error.get("ctx", {})
    last, value = str(error["loc"][-1]), text or "this block"
    if kind == "missing":
        return f"the key {last!r} is missing; add it"
    if kind == "extra_forbidden":
        keys = _keys_beside(error["loc"])
        hint = did_you_mean([last], keys)
        return f"unknown key{hint or f'; remove it, or choose among {keys}'}"
    if kind == "literal_error":
        choices = str(context["expected"])
        hint = did_you_mean([str(text).strip("'")], choices.replace(" or ", ", ").split("'")[1::2])
        return f"{value} is none of {choices}{hint or '; choose one'}"
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        value = repr(error["input"]) if last == "[key]" else value
        return f"{value} is not well formed; {_ADVICE.get(pattern, f'it must match {pattern}')}"
    if text and (plain := _PLAIN.get(kind)):
        return f"{value} {plain}"
    if last == "[key]":
        return "YAML reads a bare yes, no, on, off or number as no text; put the key in quotes"
    first, _, rest = error["msg"].partition(" should ")
    if kind == "string_type" and text:
        return f"{value} is read as no text; put it in quotes"
    remedy = _REMEDIES.get(kind, "")
    return f"{value} should {rest}{remedy}" if rest else f"{value}: {first}{remedy}"


def _keys_beside(place: Sequence[str | int]) -> list[str]:
    """The keys of the block that holds the last part of `place`."""
    if place[-2:-1] == (NESTED,):
        return sorted(NestedEstimator.model_fields)
    kind: Any = ModelSettings
    for part in place[:-1]:
        kind = _below(kind, part)
    return sorted(_fields(kind)) if _is_block(kind) else []


def _fields(kind: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a block under their keys."""
    return {field.alias or name: field for name, field in kind.model_fields.items()}


def _below(kind: Any, part: str | int) -> Any:
    """The type of what stands under a key of this type."""
    if _is_block(kind):
        field = _fields(kind).get(str(part))
        return _plain(field.annotation) if field else None
    arguments = typing.get_args(kind)
    return _plain(arguments[-1]) if arguments else None


def _plain(kind: Any) -> Any:
    """A block out of an optional one; anything else as it is."""
    return next((one for one in typing.get_args(kind) if _is_block(one)), None) or kind


def _is_block(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
