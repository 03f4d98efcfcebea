"""A record as one row of a table, and back: every cell is a text, a number, or true or false.

A part that is itself a record has the columns `part.field`; several texts are the lines of a cell,
and values by name its lines `name: value`. What is None, or empty, has no
cell, or that of an empty text where other rows have one. A line break among
several texts becomes a blank; records in plenty are no cell, but a table of their own.
"""

from collections.abc import Mapping
from math import isfinite
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from mlops_assets.blocks.base import Record

Cell = str | int | float | bool
_Kind = TypeVar("_Kind", bound=Record)


def short(text: str, most: int) -> str:
    """A text of so many characters at most, with `…` in its middle if it was longer.

    >>> short("average_value_in_euro_of_2024", 20)
    'average_v…ro_of_2024'
    """
    tail = most // 2
    return text if len(text) <= most else f"{text[: most - tail - 1]}…{text[-tail:]}"


def with_short_words(text: str, most: int) -> str:
    """A text whose words have so many characters at most: the Dagster UI breaks it at blanks."""
    return " ".join(short(word, most) for word in text.split(" "))


def to_row(record: Record) -> dict[str, Cell]:
    """The cells of a record, under the names of their columns."""
    row: dict[str, Cell] = {}
    for name, told in record.model_dump(mode="json").items():
        value = getattr(record, name)
        if isinstance(value, Record):
            row |= {f"{name}.{inner}": cell for inner, cell in to_row(value).items()}
        elif isinstance(told, Mapping | list):
            row |= {name: lines(told)} if told else {}
        elif told is not None:
            row[name] = told if not isinstance(told, float) or isfinite(told) else str(told)
    return row


def from_row(row: Mapping[str, Any], kind: type[_Kind]) -> _Kind:
    """The record that `to_row` made the row of.

    Raises:
        ValidationError: It is of no such record.
    """
    found: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        inner, many = inner_record(field.annotation), container(field.annotation)
        if inner:
            part = below(name, row)
            found |= {name: from_row(part, inner)} if part else {}
        elif row.get(name, "") != "" or (name in row and field.annotation is str):
            found[name] = from_lines(row[name], many) if many else row[name]
        elif field.is_required():
            found[name] = many() if many else None
    return kind.model_validate(found)


def below(name: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Those entries that are called `name.inner`, by their inner name."""
    before = f"{name}."
    return {n.removeprefix(before): each for n, each in entries.items() if n.startswith(before)}


def inner_record(annotation: Any) -> type[Record] | None:
    """The kind of record that a field holds, one or several; None if it holds none."""
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    found = (inner_record(part) for part in get_args(annotation))
    return next((kind for kind in found if kind), None)


def holds_records(kind: type[Record]) -> bool:
    """Whether a record has several others in a field, for which a row has no cell."""
    return any(
        container(field.annotation) is tuple and inner_record(field.annotation)
        for field in kind.model_fields.values()
    )


def container(annotation: Any) -> type | None:
    """`tuple` or `dict`, if a field is that or None; else None."""
    if get_origin(annotation) in (Union, UnionType):
        return next((c for part in get_args(annotation) if (c := container(part))), None)
    return get_origin(annotation) if get_origin(annotation) in (tuple, dict) else None


def lines(values: Mapping[str, Any] | list[Any]) -> str:
    """Several texts, or values by name, as the lines of one cell."""
    if isinstance(values, Mapping):
        return "\n".join(f"{name}: {value}" for name, value in values.items())
    return "\n".join(str(value).replace("\n", " ") for value in values)


def from_lines(text: str, kind: type | None) -> tuple[str, ...] | dict[str, str]:
    """What `lines` made the cell of."""
    parts = text.split("\n") if text else []
    if kind is dict:
        return {name: value for name, _, value in (part.rpartition(": ") for part in parts)}
    return tuple(parts)
