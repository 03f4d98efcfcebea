"""Names and values as short as a table of the Dagster UI has room for, and still told apart.

A page of 1,500 pixels with Dagster's menu open shows some 70 characters of the longest key and a
table beside each other, and cuts off the rest. What is shortened here stands in full in the value
of the asset. Tables themselves are `mlops_assets.metadata`'s.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from mlops_assets.ml.markdown import table
from mlops_assets.ml.rows import short, with_short_words
from mlops_assets.ml.summary import spelled

NAME, TEXT, WIDTH, ROWS = 13, 20, 52, 5
"""Characters of a name, of a text and of a preview, and the rows of it."""
WORD, CELL = 52, 1000
"""Characters of a word, and of a cell that is no higher than a third of a screen."""


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Each name -> how it is shown; what would look the same has its place behind it.

    A name of several words is broken into lines, so three times as much of it is shown.
    """
    shown = {name: short(name, 3 * NAME if _word(name) <= NAME else NAME) for name in names}
    alike = Counter(shown.values())
    return {
        name: said if alike[said] == 1 else f"{short(name, NAME - 5)} #{place}"
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
