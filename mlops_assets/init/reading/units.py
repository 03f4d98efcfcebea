"""Numbers that are written with more than digits: a sign of per cent or money, a unit, parentheses.

Or with other marks than the rest of the table. What is found becomes part of the column's contract.
"""

import re
from dataclasses import replace
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute

from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.column import Column
from mlops_assets.init.reading.dialect import find_marks
from mlops_assets.ml.data.marks import Marks

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

_NEARLY_ALL = 0.995
_LOOKED_AT = 2_000
_SIGNS = ("%", "‰", "€", "$", "£", "¥", "₹", "EUR", "USD", "GBP", "CHF", "kr", "zł", "R$", "US$")
_POINT = ("$", "£", "₹", "¥", "USD", "GBP", "US$")
"""Of money whose decimals are written behind a point."""
_COMMA = ("€", "EUR", "kr", "zł", "R$")
_WORD = re.compile(r"^[A-Za-z\u00b0-\u00b5/]{1,12}$")
_EDGES = re.compile(r"^[-+0-9.,' \u00a0\u202f()]+|[-+0-9.,' \u00a0\u202f()]+$")
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_GROUPED = r"^[+-]?[0-9]{1,3}(\.[0-9]{3})+$"
_APART = r"^[+-]?[0-9]{1,3}(['\x{a0}\x{202f}][0-9]{3})+([.,][0-9]+)?$"
"""Groups of three digits, by what nothing but numbers has between digits."""
_FEW = 20


class Written(NamedTuple):
    """How the numbers of a column are written."""

    contract: dict[str, Any]
    """What the column's contract says of it."""
    plain: Column
    """The column with numbers as a program writes them."""
    said: str


def find_written(column: Column, answers: Answers) -> Written | None:
    """How the numbers of a column are written, in 99.5 % of the values; None of other texts.

    Raises:
        UndecidedError: `1,234` may be above one thousand or not.
    """
    unit = _unit(column)
    parentheses = column.share(r"^\(.*[0-9].*\)$") > 0
    marked = unit or parentheses or column.share(f"[0-9],[0-9]|{_APART}") > 0
    if not marked or column.distinct <= 2:
        return None
    bare = Marks(unit=unit, parentheses=parentheses).bare(column.texts)
    decimal, thousands = _marks(column, bare, unit, answers)
    marks = Marks(decimal, thousands or "", unit, parentheses)
    texts = marks.plain(column.texts)
    plain = replace(column, texts=texts, decimal=".", thousands=None)
    if plain.share(_NUMBER) < _NEARLY_ALL:
        return None
    contract: dict[str, Any] = {"unit": unit} if unit else {}
    if parentheses:
        contract["negative"] = "parentheses"
    if (decimal, thousands) != (column.decimal, column.thousands):
        contract |= {"decimal": decimal} | ({"thousands": thousands} if thousands else {})
    # What is no number, in less than 1 of 200, is put aside by the contract.
    known = pc.if_else(
        pc.match_substring_regex(texts, _NUMBER), texts, pa.scalar(None, pa.string())
    )
    example = column.present[0].as_py()
    return Written(contract, replace(plain, texts=known), f"such as {example!r}")


def _unit(column: Column) -> str:
    """What stands beside nearly every number; empty if nothing does.

    A word, but for the names of money, only behind many different numbers, else it is a category.
    """
    present = column.present
    some = present.to_pylist()[:: max(1, len(present) // _LOOKED_AT)]
    beside = [_EDGES.sub("", text) for text in some]
    usual = max(set(beside), key=beside.count)
    if beside.count(usual) < _NEARLY_ALL * len(beside):
        return ""
    behind = column.share(rf"[0-9][ \x{{a0}}\x{{202f}}]?{re.escape(usual)}$") >= _NEARLY_ALL
    is_unit = usual in _SIGNS or (_WORD.match(usual) and behind and column.distinct > _FEW)
    return usual if is_unit else ""


def _marks(column: Column, bare: pa.Array, unit: str, answers: Answers) -> tuple[str, str | None]:
    """Decimal and thousands mark of the column's own numbers; the table's where they tell none."""
    digits = replace(column, texts=bare)
    if unit in _COMMA and digits.share(_GROUPED) == 1:
        return ",", "."
    for blank in (" ", "\u00a0", "\u202f", "'"):
        if digits.share(rf"^[+-]?[0-9]{{1,3}}({blank}[0-9]{{3}})+([.,][0-9]+)?$") > 0:
            return ("," if digits.share(",[0-9]+$") > 0 else "."), blank
    if digits.share("[0-9],[0-9]") == 0:
        return (".", None) if column.decimal == "," else (column.decimal, column.thousands)
    if unit in _POINT:
        return ".", ","
    return find_marks({column.source: bare}, ",", answers)
