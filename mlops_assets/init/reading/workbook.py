"""Which sheet of a workbook is the table, and from which row on; its first rows as texts."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from mlops_assets.errors import SourceError
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.column import with_hyphens
from mlops_assets.init.reading.files.sampling import MOST_ROWS, SheetSample
from mlops_assets.init.reading.names import safe_name
from mlops_assets.init.reading.preamble import is_total
from mlops_assets.ml.data.formats.workbook import Shown, open_sheets, sheet_of

_LONGEST_PREAMBLE = 50
_MOST_NAMED = 3


class Place(NamedTuple):
    """Where the table is in a workbook."""

    sheet: str
    """Empty if there is but one."""
    skip_rows: int
    columns: tuple[str, ...]
    """Names, where there is no header."""


def find_place(path: Path, target: str, answers: Answers) -> Place:
    """The sheet that has the target in its header, and the rows above that.

    Raises:
        SourceError: It is no workbook, or no sheet has the target.
        UndecidedError: Several sheets have it.
    """
    sheets = open_sheets(path, _LONGEST_PREAMBLE)
    columns = tuple(answers.given("columns").split(",")) if answers.given("columns") else ()
    headers = {name: 0 if columns else _header(shown, target) for name, shown in sheets.items()}
    found = [name for name, at in headers.items() if at is not None]
    if given := answers.given("sheet"):
        found = [given]
    if not found or found[0] not in headers:
        raise SourceError(
            f"{path}: none of the sheets {list(sheets)} has {target!r} in its first rows; correct "
            "--target or --sheet"
        )
    if len(found) > 1:
        said = f"several sheets of {path.name} have {target!r}: which one is the table?"
        found = [answers.ask("sheet", said, found[0], found)]
    chosen = found[0]
    return Place(chosen if len(sheets) > 1 else "", headers[chosen] or 0, columns)


def sample_sheet(path: Path, place: Place) -> SheetSample:
    """The first rows of the table.

    Raises:
        SourceError: It is none.
    """
    sheets = open_sheets(path, MOST_ROWS + place.skip_rows + 1)
    if place.sheet not in ("", *sheets):
        raise SourceError(f"{path}: has no sheet {place.sheet!r} as the first file has; add it")
    name = place.sheet or next(iter(sheets))
    shown = sheets[name]
    sheet = sheet_of(f"{path}, sheet {name!r}", shown.cells, place.skip_rows, place.columns)
    if doubled := sorted({one for one in sheet.names if sheet.names.count(one) > 1}):
        raise SourceError(f"{sheet.where}: the columns {doubled} occur twice; rename one")
    table = sheet.table(sheet.names, ())
    last = [column[-1].as_py() or "" for column in table.columns]
    if is_total(last):
        raise SourceError(f"{sheet.where}: the last row, {last[:5]}, is a total; delete it")
    rows = shown.height - place.skip_rows - (not place.columns)
    return SheetSample(path, table, max(rows, len(table)), whole=len(shown.cells) == shown.height)


def _header(shown: Shown, target: str) -> int | None:
    """The row that names the target."""
    wanted = {target, target.partition("=")[0], safe_name(target)} - {""}
    found = []
    for number, row in enumerate(shown.cells):
        texts = [cell.strip() for cell in row if isinstance(cell, str)]
        names = len(texts) == len(row) and sum(map(bool, texts)) > 1
        if names and wanted & {*texts, *map(safe_name, texts)}:
            found.append(number)
    # A name that is in many rows is a value, of a kind of event.
    return found[0] if 0 < len(found) <= _MOST_NAMED or found[:1] == [0] else None


def columns_of(samples: Sequence[SheetSample]) -> dict[str, pa.Array]:
    """The columns of all samples, one below the other."""
    joined = pa.concat_tables([sample.table for sample in samples])
    return {name: with_hyphens(joined[name].combine_chunks()) for name in joined.column_names}
