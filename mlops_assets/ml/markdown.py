"""Markdown that any text may stand in."""


def cell(value: object) -> str:
    """A value as the cell of a table: on one line, without ending the cell."""
    return " ".join(str(value).split()).replace("|", "\\|")
