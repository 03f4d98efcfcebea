"""Lines of a text that are no rows: before the header, and at the end."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from mlops_assets.errors import SourceError
from mlops_assets.init.reading.missing import PLAIN
from mlops_assets.init.reading.names import safe_name

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_LONGEST_PREAMBLE = 50
_COMMENTS = ("#", "%", "//")
_MOST_NAMED = 3
_VALUE = re.compile(r"^[-+0-9.,:/ TZ%]*$")
_LONGEST_LAST_LINE = 2_000_000
"""Bytes; of a longer one nothing tells whether it is a row."""
_LAST_LINES = 50
_NUMBER = re.compile(r"^[-+.,]?[0-9][-+0-9.,:/eETZ %]*$")
"""Also a date."""
_FEWEST_NUMBERS = 5
_NEARLY_ALL = 0.95
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
        header = next((number for number, alike in found if alike), found[0][0])
        return lines.index(lines[header])  # or it is the same once more
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


def require_whole_header(path: Path, rows: Sequence[list[str]]) -> None:
    """Refuse a header that has one name less than each of the rows below has values.

    Raises:
        SourceError: It is so, e.g. as R writes the names of rows.
    """
    header, *below = rows
    if {len(row) for row in below} != {len(header) + 1}:
        return
    said = f"{path}: the header has {len(header)} names and every row {len(header) + 1} values"
    if any(row[-1] for row in below):
        raise SourceError(
            f"{said}: the first, e.g. {below[0][0]!r}, has no name, as R's write.table writes row "
            "names; write it by write.csv(row.names = FALSE), or put a name before the header"
        )
    raise SourceError(f"{said}, the last one empty; delete the delimiter at the ends of the rows")


def require_rows(
    path: Path, columns: Mapping[str, pa.Array], line: int | None, *, alone: bool = True
) -> None:
    """Refuse the header once more among the rows, or the units of the columns as the first row.

    Of several files also one that has a header only, as a run would.

    Args:
        path: Of the file.
        columns: Its texts; what has no value is null.
        line: Of the first row, if every row is one line of the file.
        alone: Whether it is the only file.

    Raises:
        SourceError: There is one of them.
    """
    if not len(next(iter(columns.values()))):
        if alone:
            return
        raise SourceError(f"{path}: only a header and no rows; fetch it again, or narrow the glob")
    if repeated := _repeated_header(columns):
        number = None if line is None else line + repeated[0]
        where = f"row {repeated[0] + 1} of the sample" if number is None else f"line {number}"
        delete = f", e.g. by sed -i {number}d {path.name}" if number else ""
        raise SourceError(
            f"{path}: {where} is the header again ({len(repeated)} of the rows looked at are), as "
            f"of files put together; delete it{delete}"
        )
    if units := _units(columns):
        where = "the first row" if line is None else f"line {line}"
        delete = "" if line is None else f", e.g. by sed -i {line}d {path.name}"
        raise SourceError(
            f"{path}: {where} is no row but says of columns of numbers what they are, e.g. "
            f"{units}; delete it{delete}"
        )


def _repeated_header(columns: Mapping[str, pa.Array]) -> list[int]:
    """Which rows are the names of the columns, counted from 0; never of a single column."""
    if len(columns) < 2:
        return []
    first, *others = columns
    places = pc.indices_nonzero(pc.equal(columns[first], first)).to_pylist()
    return [at for at in places if all((columns[n][at].as_py() or "") == n for n in others)]


def _units(columns: Mapping[str, pa.Array]) -> dict[str, str]:
    """Up to three texts in the first row, of columns that are numbers below it.

    None if that is a row: it has a number in half of such columns or more, or there is but one.
    Texts for no value are no units.
    """
    tops = {
        name: texts[0].as_py() or ""
        for name, texts in columns.items()
        if _are_numbers(texts[1:].drop_null())
    }
    words = {name: text for name, text in tops.items() if text and not _NUMBER.search(text)}
    numbers = sum(bool(_NUMBER.search(text)) for text in tops.values())
    units = [(name, text) for name, text in words.items() if text not in PLAIN]
    return dict(units[:3]) if len(tops) > 1 and len(words) > numbers else {}


def _are_numbers(texts: pa.Array) -> bool:
    if len(texts) < _FEWEST_NUMBERS:
        return False
    found = pc.match_substring_regex(texts, _NUMBER.pattern)
    return float(pc.mean(found).as_py()) > _NEARLY_ALL


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
