"""Names and values as short as a table of the Dagster UI has room for, and still told apart.

A page of 1,500 pixels with Dagster's menu open shows some 70 characters of the longest key and a
table beside each other, and cuts off the rest. What is shortened here stands in full in the value
of the asset. Tables themselves are `mlops_assets.metadata`'s.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from mlops_assets.ml.markdown import table
from mlops_assets.ml.rows import short, with_short_words
from mlops_assets.ml.summary import spelled

NAME, TEXT, WIDTH, ROWS = 22, 20, 52, 5
"""Characters of a name, of a text and of a preview, and the rows of it."""
PAGE, KEY, COLUMN, LETTER, LEAST = 70, 15, 2.1, 0.86, 13
"""Characters that a page has room for, and of them those of a usual key and of the lines of a
column; how wide a letter of a column's name is, which is smaller; and the least of a name."""
WORD, CELL = 52, 1000
"""Characters of a word, and of a cell that is no higher than a third of a screen."""


def room_for_names(columns: Mapping[str, Iterable[object]]) -> int:
    """Characters of a name beside these columns of a table, whose cells stand under their names."""
    taken = sum(
        COLUMN + max(len(name) * LETTER, *(_word(str(cell)) for cell in cells))
        for name, cells in columns.items()
    )
    return max(LEAST, int(PAGE - KEY - COLUMN - taken))


def short_names(names: Iterable[str], most: int = NAME) -> dict[str, str]:
    """Each name -> how it is shown; what would look the same has its place behind it.

    A name of several words is broken into lines, so three times as much of it is shown.
    """
    shown = {name: short(name, 3 * most if _word(name) <= most else most) for name in names}
    alike = Counter(shown.values())
    return {
        name: said if alike[said] == 1 else f"{short(name, most - 5)} #{place}"
        for place, (name, said) in enumerate(shown.items(), 1)
    }


def listed(texts: Sequence[str], between: str) -> str:
    """As many of the texts as a cell has room for, at least one, and how many more there are."""
    said = ""
    for place, whole in enumerate(texts):
        text = with_short_words(whole, WORD)
        longer = f"{said}{between}{text}" if said else text
        if said and len(longer) > CELL:
            return f"{said}{between}and {len(texts) - place} more"
        said = longer
    return said


def preview(rows: pd.DataFrame) -> str:
    """How a table begins, in Markdown: as it is, or on its side where it is too wide for that.

    On its side it has a line for each column, and as many rows as there is room for, at least one.
    """
    first = rows.head(ROWS)
    names = short_names(map(str, rows.columns)).values()
    columns = [[name, *map(cell, first.iloc[:, place])] for place, name in enumerate(names)]
    if _width(columns) <= WIDTH:
        header, *lines = zip(*columns, strict=True)
        return table(header, lines)
    numbered = enumerate(zip(*columns, strict=True))
    rows_of = [[f"row {place}", *cells] for place, cells in numbered if place]
    turned = [["column", *names], *rows_of]
    while len(turned) > 2 and _width(turned) > WIDTH:
        turned.pop()
    header, *lines = zip(*turned, strict=True)
    return table(header, lines)


def cell(value: object) -> str:
    """A value as it is shown in a preview: six digits of a fraction, whole numbers in full."""
    if isinstance(value, pd.Timestamp | float):
        return spelled(value)
    return short(str(value), TEXT)


def _width(columns: Iterable[Iterable[str]]) -> int:
    """Characters of a table beside each other, when each cell is broken where it has a space."""
    return sum(2 + max(map(_word, column)) for column in columns)


def _word(text: str) -> int:
    """The length of the longest word."""
    return max(map(len, text.split()), default=0)
