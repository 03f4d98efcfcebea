"""Lines of a text that are no rows: before the header, and at the end."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from mlops_assets.errors import SourceError
from mlops_assets.init.reading.names import safe_name

_LONGEST_PREAMBLE = 50
_COMMENTS = ("#", "%", "//")
_MOST_NAMED = 3
_VALUE = re.compile(r"^[-+0-9.,:/ TZ%]*$")
_LONGEST_LAST_LINE = 2_000_000
"""Bytes; of a longer one nothing tells whether it is a row."""
_LAST_LINES = 50
_TOTAL = re.compile(
    r"^\W*(grand |sub)?(totals?|sum|summe|gesamt|gesamtsumme|insgesamt|somme|suma|totale)\b",
    re.IGNORECASE,
)


def find_preamble(lines: Sequence[str], target: str) -> int:
    """How many lines stand before the header, which is the first to name the target.

    Of a file without a header those that are comments.
    """
    wanted = {target, target.partition("=")[0], safe_name(target)} - {""}
    found = [
        (number, len(rows[number]) == len(rows[number + 1]))
        for mark in (",", ";", "\t", "|", " ")
        for rows in [[_fields(line, mark) for line in lines[: _LONGEST_PREAMBLE + 1]]]
        for number in _headers(rows, wanted)
    ]
    if found:
        # A title may name the target too, but has not as many fields as the line below.
        return next((number for number, alike in found if alike), found[0][0])
    is_comment = [line.startswith(_COMMENTS) for line in lines[:_LONGEST_PREAMBLE]]
    return is_comment.index(False) if False in is_comment else 0


def _headers(rows: Sequence[list[str]], wanted: set[str]) -> list[int]:
    """Which rows, but for the last, may be a header with one of the names.

    A name that is in many of them is a value, of a kind of event; and so it is beside numbers or
    gaps if the first row is as long, and whole, and thus a header itself.
    """
    at = [
        number
        for number, fields in enumerate(rows[:-1])
        if len(fields) > 1 and wanted & {*fields, *map(safe_name, fields)}
    ]
    if at[:1] == [0] and (len(at) > _MOST_NAMED or len(rows[0]) == len(rows[1])):
        return [0]
    if len(at) > _MOST_NAMED:
        return []
    return [number for number in at if not _is_row(rows[number], rows[0])]


def _is_row(fields: Sequence[str], first: Sequence[str]) -> bool:
    return len(fields) == len(first) and "" not in first and any(map(_VALUE.match, fields))


def _fields(line: str, mark: str) -> list[str]:
    if mark == " ":
        return line.split()
    return [field.strip("\"' #") for row in csv_rows([line], mark) for field in row]


def csv_rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The fields of some lines, however long a value is; Python's limit is 131,072 characters."""
    usual = csv.field_size_limit(2**31 - 1)
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    finally:
        csv.field_size_limit(usual)


def comment_mark(lines: Sequence[str]) -> str:
    """How all of the lines but the last, which is the header, begin: with a mark of comments."""
    *before, header = lines
    marks = [
        mark
        for mark in _COMMENTS
        if any(before) and all(line.startswith(mark) or not line.strip() for line in before)
    ]
    return next((mark for mark in marks if not header.startswith(mark)), "")


def lines_before(lines: list[str], delimiter: str) -> int:
    """How many lines without a delimiter stand before the first one with as many as most have."""
    counts = [len(row) for row in csv_rows(lines[:100], delimiter)]
    usual = max(set(counts), key=counts.count)
    before = counts.index(usual)
    return before if usual > 1 and all(count < 2 for count in counts[:before]) else 0


def require_no_footer(path: Path, encoding: str, delimiter: str, width: int) -> None:
    """Refuse a text, not compressed, whose last lines are no rows.

    Raises:
        SourceError: They are empty, of another length, or a total.
    """
    lines = _last_lines(path, encoding)
    if lines[-2:] == ["", ""]:
        raise SourceError(f"{path}: ends with empty lines; delete them")
    lines = lines[:-1] if lines and not lines[-1] else lines
    if width < 2 or not lines or any(line.count('"') % 2 for line in lines):
        return
    last = lines[-1]
    fields = next(iter(csv_rows([last], delimiter)), [])
    if len(fields) == width and not is_total(fields):
        return
    raise SourceError(
        f"{path}: the last line, {last[:80]!r}, is no row but a footer; delete it, e.g. by "
        "head -n -1"
    )


def _last_lines(path: Path, encoding: str) -> list[str]:
    """Some whole lines of the end, and what stands behind the last line feed."""
    start = max(0, path.stat().st_size - _LONGEST_LAST_LINE)
    with path.open("rb") as file:
        file.seek(start)
        data = file.read()
    if start:
        data = data.partition(b"\n")[2]  # the rest of a line
    lines = data.decode(encoding, errors="replace").replace("\r", "").split("\n")
    return lines[-_LAST_LINES:] if data else []


def is_total(fields: Sequence[str]) -> bool:
    """Whether a row sums up the others: it says so, and has gaps."""
    return bool(_TOTAL.match(fields[0])) and "" in fields
