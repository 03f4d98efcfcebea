"""How a text file is written: encoding, delimiter, header, decimal and thousands marks.

DuckDB's sniffer finds delimiter, quotes and where the rows begin; charset-normalizer the encoding.
What the product cannot read as it is, e.g. other quotes, is refused by name.
"""

import json
import re
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute

from mlops_assets.errors import SourceError
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.files.opening import is_utf16
from mlops_assets.init.reading.names import safe_name
from mlops_assets.init.reading.preamble import (
    comment_mark,
    csv_rows,
    find_preamble,
    lines_before,
    require_whole_header,
)
from mlops_assets.ml.data.formats.delimited import without_preamble

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

UTF16 = "utf-16"
_LONGEST_HEADER = 1_000_000
_SINGLE_BYTE = ["cp1252", "cp1250", "cp1251", "koi8_r", "shift_jis", "gb18030", "euc_kr"]
_WESTERN = re.compile("[äöüÄÖÜßéèêëàâáãçñóôõúùûíìîïåæøÅÆØÉÀÇ€°²³µ§£«»\u2019\u2013]")
_NUMBER = re.compile(r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$")


_SNIFF = "from sniff_csv(?, strict_mode = false, ignore_errors = true)"
"""Or one row of another length makes it believe in another delimiter."""


class Dialect(NamedTuple):
    """How every file of a source is written."""

    format: str
    """csv, whitespace or jsonl."""
    encoding: str = "utf-8"
    delimiter: str = ","
    columns: tuple[str, ...] = ()
    """Names of a file without a header line."""
    names: tuple[str, ...] = ()
    """As the first line spells them."""
    trim: bool = False
    """Whether blanks stand around the values."""
    skip_rows: int = 0
    """Lines before the header."""
    comment: str = ""
    """How each of them begins, if they are all alike."""

    def text(self, data: bytes) -> str:
        """A part of a file, from its header on if it is the first."""
        text = data.decode("utf-8" if self.encoding == UTF16 else self.encoding, errors="replace")
        rest, _ = without_preamble(
            text.removeprefix("\ufeff").encode(),
            0 if self.comment else self.skip_rows,
            self.comment,
        )
        return rest.decode()

    def header(self, data: bytes) -> list[str]:
        """The names in the first line of a file that has a header."""
        line = self.text(data[:_LONGEST_HEADER]).partition("\n")[0].rstrip("\r")
        return csv_rows([trimmed(line, self.delimiter) if self.trim else line], self.delimiter)[0]


def find_encoding(head: bytes, answers: Answers) -> str:
    """`utf-8`, or what reads the bytes beyond ASCII as letters.

    Raises:
        UndecidedError: Several encodings would do.
    """
    data = head.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode()
    except UnicodeDecodeError as err:
        if err.start < len(data) - 4:  # else the sample cut a letter in two
            return answers.given("encoding") or _other_encoding(data, answers)
    return "utf-8"


def _other_encoding(data: bytes, answers: Answers) -> str:
    from charset_normalizer import from_bytes

    lines = [line for line in data.split(b"\n") if not line.isascii()]
    beyond = b"\n".join(lines)[:20_000]
    western = beyond.decode("cp1252", errors="replace")
    letters = [letter for letter in western if ord(letter) > 127]
    if sum(bool(_WESTERN.match(one)) for one in letters) > 0.95 * len(letters):
        return "cp1252"  # a superset of what is called latin-1
    best = from_bytes(beyond, cp_isolation=_SINGLE_BYTE).best()
    named = best.encoding if best else "cp1252"
    return answers.ask(
        "encoding",
        f"the file is no UTF-8; as {named} it reads {_shown(lines[0], named)}: is that right?",
        named,
        _SINGLE_BYTE,
    )


def find_dialect(path: Path, head: bytes, target: str, answers: Answers) -> Dialect:
    """How a text file is written, but for its numbers.

    Args:
        path: Of the file.
        head: Its first lines.
        target: What the header names if there is one.
        answers: Given by options, or asked for.

    Raises:
        SourceError: It cannot be read as it is.
        UndecidedError: It can be read in several ways.
    """
    encoding = UTF16 if is_utf16(path) else find_encoding(head, answers)
    text = Dialect("csv", encoding).text(head)
    if _is_json(path, text):
        return Dialect("jsonl", encoding)
    if "\r" in text and "\n" not in text:
        raise SourceError(
            f"{path}: the lines end with a carriage return alone, as on old Macs; convert them, "
            f"e.g. by tr '\\r' '\\n' < {path.name} > converted.csv"
        )
    lines = text.splitlines()
    before = find_preamble(lines, target)
    comment = comment_mark(lines[: before + 1])
    lines = lines[before:]
    columns = tuple(answers.given("columns").split(",")) if answers.given("columns") else ()
    if _is_whitespace(lines, columns):
        names = tuple(lines[0].split())
        _require_header(path, names, columns, target)
        return Dialect("whitespace", encoding, " ", columns, names, False, before, comment)
    if not columns and len(lines[0].split()) > 1 and not _has_marks(lines[:50]):
        require_whole_header(path, [line.split() for line in lines[:50]])
    delimiter, quote = _sniffed(path, "\n".join(lines))
    if skipped := lines_before(lines, delimiter):
        raise SourceError(
            f"{path}: {skipped} lines stand before the header, e.g. {lines[0][:60]!r}, and no line "
            f"below names {target!r}; correct --target, or delete the lines"
        )
    if quote == "'":
        raise SourceError(f"{path}: values are quoted by '; export it again with double quotes")
    trim = _has_blanks(lines, delimiter)
    lines = [trimmed(line, delimiter) for line in lines] if trim else lines
    rows = csv_rows(lines[:50], delimiter)
    names = tuple(rows[0])
    _require_header(path, names, columns, target)
    if not columns:
        require_whole_header(path, rows)
    return Dialect("csv", encoding, delimiter, columns, names, trim, before, comment)


def _require_header(
    path: Path, first: tuple[str, ...], columns: tuple[str, ...], target: str
) -> None:
    """Refuse a first line of values: it has numbers, and not the target."""
    if (
        columns
        or {target, safe_name(target)} & {*first, *map(safe_name, first)}
        or not any(_NUMBER.match(name) for name in first)
    ):
        return
    raise SourceError(
        f"{path}: the first line, {list(first[:5])}, are values and no header; say what the "
        "columns are called by --columns a,b,c"
    )


def _is_json(path: Path, text: str) -> bool:
    """Whether each line is a JSON object, by the first one."""
    if re.match(r"\s*\[\s*[\[{\]]", text):
        raise SourceError(
            f"{path}: one JSON array; write one object a line, e.g. by jq -c '.[]' {path.name}"
        )
    try:
        return isinstance(json.loads(text.lstrip().partition("\n")[0]), dict)
    except ValueError:
        return False


def _is_whitespace(lines: list[str], columns: tuple[str, ...]) -> bool:
    """Whether runs of blanks delimit: no other mark, and as many values in each line."""
    some = [line for line in lines[:200] if line.strip()]
    if _has_marks(some):
        return False
    counts = {len(line.split()) for line in some}
    return len(counts) == 1 and counts != {1} and counts == {len(columns) or counts.copy().pop()}


def _has_marks(lines: list[str]) -> bool:
    """Whether anything but a blank may delimit."""
    return any(mark in line for line in lines for mark in ",;|\t")


def _sniffed(path: Path, text: str) -> tuple[str, str]:
    """Delimiter and quote, as DuckDB's sniffer finds them."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="init-") as folder:
        file = Path(folder, "head.csv")
        file.write_text(text, encoding="utf-8", newline="")
        try:
            with duckdb.connect() as connection:
                row = connection.execute(_SNIFF, [str(file)]).fetchall()[0]
        except duckdb.Error as err:
            first = str(err).strip().splitlines()[0]
            raise SourceError(
                f"{path}: no table of delimited values ({first}); export it as CSV"
            ) from err
    return str(row[0]), str(row[1])


def _has_blanks(lines: list[str], delimiter: str) -> bool:
    """Whether blanks beside values mean nothing; where something is quoted, they may.

    Every fifth delimiter or more has one, or a column has a text with and without.
    """
    text = "\n".join(lines)
    if '"' in text:
        return False
    beside = re.findall(f" {re.escape(delimiter)}|{re.escape(delimiter)} ", text)
    if len(beside) > 0.2 * text.count(delimiter):
        return True
    columns = map(set, zip(*(line.split(delimiter) for line in lines[1:]), strict=False))
    return any(
        bare != value and bare in values
        for values in columns
        for value in values
        if (bare := value.strip(" "))
    )


def trimmed(text: str, delimiter: str) -> str:
    """Without the blanks beside delimiters and at the ends of lines, as `source.trim` reads it."""
    return re.sub(f" *({re.escape(delimiter)}|\n) *", r"\1", text.strip(" "))


def find_marks(
    columns: dict[str, pa.Array], delimiter: str, answers: Answers
) -> tuple[str, str | None]:
    """The decimal and the thousands mark of the numbers of a table.

    A column of `1,5` needs a decimal comma, one of `1,234,567` a thousands comma; where every value
    is like `1,234` both would do.

    Raises:
        UndecidedError: Both would do.
    """
    texts = [column for column in columns.values() if _share(column, r"[0-9][.,][0-9]") > 0.05]
    grouped_by_comma = any(
        _all(column, r"^[+-]?[0-9]{1,3}(,[0-9]{3})*(\.[0-9]+)?$")
        and _share(column, r",[0-9]{3},|,[0-9]{3}\.") > 0
        for column in texts
    )
    if grouped_by_comma:
        return ".", ","
    with_comma = [c for c in texts if _all(c, r"^[+-]?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)(,[0-9]+)?$")]
    with_comma = [c for c in with_comma if _share(c, ",") > 0]
    with_point = [c for c in texts if _all(c, r"^[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?$|^[0-9]+$")]
    if not with_comma:
        return ".", None
    if any(_share(column, r",([0-9]{1,2}|[0-9]{4,})$") > 0 for column in with_comma):
        grouped = [c for c in texts if _all(c, r"^[+-]?[0-9]{1,3}(\.[0-9]{3})*$")]
        dotted = any(_share(c, r"[0-9]\.[0-9]{3}") > 0 for c in (*with_comma, *grouped))
        return ",", "." if dotted else None
    default = "," if delimiter == ";" and not with_point else "."
    example = with_comma[0].drop_null()[0].as_py()
    chosen = answers.ask(
        "decimal",
        f"is {example!r} above one thousand? then the decimal mark is",
        default,
        [".", ","],
    )
    return (",", None) if chosen == "," else (".", ",")


def _share(column: pa.Array, pattern: str) -> float:
    found = pc.match_substring_regex(column, pattern)
    return float(pc.mean(pc.fill_null(found, False)).as_py() or 0)


def _all(column: pa.Array, pattern: str) -> bool:
    """Whether nearly every value is like that; a few may be texts for no value."""
    found = pc.match_substring_regex(column.drop_null(), pattern)
    return float(pc.mean(found).as_py() or 0) > 0.8


def _shown(line: bytes, encoding: str) -> str:
    return repr(line.decode(encoding, errors="replace")[:60])
