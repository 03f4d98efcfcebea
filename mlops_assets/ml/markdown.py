"""Markdown that any text may stand in."""

from collections.abc import Iterable


def table(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """The lines of a table, one for each row below the header; no cell is aligned.

    >>> print(table(("what", "now"), [("size", 3)]))
    | what | now |
    | --- | --- |
    | size | 3 |
    """
    cells = [[_cell(value) for value in line] for line in (header, *rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _cell(value: object) -> str:
    """A value on one line, without ending the cell."""
    return " ".join(str(value).split()).replace("|", "\\|")
