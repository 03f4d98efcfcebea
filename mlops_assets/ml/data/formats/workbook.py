"""A sheet of an Excel workbook (.xlsx, .xlsb, .xls, also .ods) -> a table of strings.

A cell is spelled as a text file would have it: a whole number without its point, moments in
ISO 8601, true and false. An empty one, and one of an error such as #N/A, is no value.
"""

import io
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from mlops_assets.errors import SourceError
from mlops_assets.ml.data.formats.characters import clip, read_bytes, refuse

Cells = list[list[Any]]


class Shown(NamedTuple):
    """A sheet as it is."""

    cells: Cells
    """From the first row on."""
    height: int
    """How many rows it has, all of them."""


class Sheet(NamedTuple):
    """The rows of one sheet below its header, and what its columns are called."""

    where: str
    """File and sheet, for messages."""
    names: list[str]
    rows: Cells

    def table(self, keep: Sequence[str], missing: Sequence[str]) -> pa.Table:
        """The columns `keep` as strings, null where a cell is empty or one of `missing`."""
        nothing = {"", *missing}
        columns = {}
        for name in keep:
            at = self.names.index(name)
            texts = [_spelled(row[at]) for row in self.rows]
            known = [None if text in nothing else text for text in texts]
            columns[name] = pa.array(known, pa.string())
        return pa.table(columns)


def open_sheets(path: Path, most: int | None = None) -> dict[str, Shown]:
    """Name of each sheet that is shown -> its cells.

    Args:
        path: Of the workbook.
        most: How many rows of each.

    Raises:
        SourceError: It is no workbook, has a password, or the library that reads it is missing.
    """
    try:
        import python_calamine as calamine
    except ModuleNotFoundError as err:
        raise SourceError(
            f"{path}: a workbook is read by python-calamine, which is not installed; install it by "
            "pip install 'mlops-assets[excel]'"
        ) from err
    data = io.BytesIO(read_bytes(path))
    try:
        with calamine.CalamineWorkbook.from_filelike(data) as book:
            shown = [
                sheet.name
                for sheet in book.sheets_metadata
                if sheet.visible == calamine.SheetVisibleEnum.Visible
                and sheet.typ == calamine.SheetTypeEnum.WorkSheet
            ]
            sheets = {name: book.get_sheet_by_name(name) for name in shown}
            return {
                name: Shown(
                    sheet.to_python(skip_empty_area=False, nrows=most),
                    sheet.end[0] + 1 if sheet.end else 0,
                )
                for name, sheet in sheets.items()
            }
    except (calamine.CalamineError, ValueError) as err:
        raise SourceError(
            f"{path}: no readable Excel workbook ({err or 'it has a password'}); save it again, "
            "without a password, or export it as CSV"
        ) from err


def open_sheet(path: Path, sheet: str, skip_rows: int, columns: Sequence[str]) -> Sheet:
    """One sheet, strictly: as declared, or refused by name.

    Args:
        path: Of the workbook.
        sheet: Its name; may be left out of a workbook that has but one.
        skip_rows: Before the header, or the first row.
        columns: Names, where there is no header.

    Raises:
        SourceError: There is no such sheet, or it is no table.
    """
    sheets = open_sheets(path)
    if not sheet and len(sheets) > 1:
        refuse(str(path), f"has the sheets {list(sheets)}. Name one by `source.sheet`")
    if not sheets or sheet not in ("", *sheets):
        refuse(str(path), f"has no sheet {sheet!r} but {list(sheets)}. Correct `source.sheet`")
    name = sheet or next(iter(sheets))
    return sheet_of(f"{path}, sheet {name!r}", sheets[name].cells, skip_rows, columns)


def sheet_of(where: str, cells: Cells, skip_rows: int, columns: Sequence[str]) -> Sheet:
    """Some cells as a table.

    Raises:
        SourceError: They are none.
    """
    body = cells[skip_rows:]
    while body and not any(map(_is_there, body[-1])):
        body.pop()
    width = max((_width(row) for row in body), default=0)
    if len(body) <= (not columns) or not width:
        refuse(where, f"no rows below row {skip_rows + 1}. Correct `source.skip_rows`")
    if columns and len(columns) != width:
        said = f"{width} columns, and `source.columns` names {len(columns)}"
        refuse(where, f"{said}. Correct it")
    header = list(columns) or [_spelled(cell).strip() for cell in body[0][:width]]
    rows = body if columns else body[1:]
    if "" in header:
        at = header.index("") + 1
        refuse(
            where, f"column {at} of row {skip_rows + 1} has no name: {clip(str(header))}. Add it"
        )
    for number, row in enumerate(rows, skip_rows + 2 - bool(columns)):
        if not any(map(_is_there, row)):
            refuse(where, f"row {number} is empty. Delete it")
    return Sheet(where, header, rows)


def _is_there(cell: Any) -> bool:
    return cell is not None and cell != ""


def _width(row: Sequence[Any]) -> int:
    return max((at for at, cell in enumerate(row, 1) if _is_there(cell)), default=0)


def _spelled(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return cell.isoformat() if isinstance(cell, date) else "" if cell is None else str(cell)
