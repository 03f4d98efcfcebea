"""How numbers are written in a text: marks, units, parentheses; and the same as Python writes them.

Whose marks count, the source's or the column's own, is told here; what the numbers become is in
`casting`.
"""

import re
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute

from mlops_assets.blocks.columns import ColumnContract
from mlops_assets.blocks.data import SourceSettings

pc: Any = pyarrow.compute  # makes its functions when imported: unknown to type checkers

MINUS = "\u2212"
"""The minus of typesetters, which R and publishers write; it is read as a hyphen."""
_BLANKS = r"[ \x{a0}\x{202f}]*"


class Marks(NamedTuple):
    """How numbers are written in a text."""

    decimal: str = "."
    thousands: str = ""
    unit: str = ""
    """What stands before or behind each."""
    parentheses: bool = False
    """Whether they may stand for a minus."""

    @classmethod
    def written_in(cls, source: SourceSettings) -> "Marks":
        """Those of a source, where a column has none of its own; typed files have none."""
        typed = source.format not in ("csv", "whitespace")
        return cls() if typed else cls(source.decimal, source.thousands)

    def of(self, rule: ColumnContract) -> "Marks":
        """Those of one column, where it has some of its own."""
        decimal, thousands = self.decimal, self.thousands
        if rule.decimal is not None or rule.thousands is not None:
            decimal, thousands = rule.decimal or ".", rule.thousands or ""
        return Marks(decimal, thousands, rule.unit or "", rule.negative == "parentheses")

    def plain(self, text: pa.Array) -> pa.Array:
        """The numbers as Python writes them; what is none by these marks is none afterwards."""
        if self == PLAIN:
            return text
        text = self.bare(text)
        point, group = re.escape(self.decimal), re.escape(self.thousands)
        grouped = rf"[0-9]{{1,3}}({group}[0-9]{{3}})+|" if group else ""
        form = rf"^[+-]?({grouped}[0-9]*)({point}[0-9]*)?([eE][+-]?[0-9]+)?$"
        bare = pc.replace_substring(text, self.thousands, "") if group else text
        bare = pc.replace_substring(bare, self.decimal, ".")
        return pc.if_else(pc.match_substring_regex(text, form), bare, "no number")

    def bare(self, text: pa.Array) -> pa.Array:
        """The digits and their marks alone, with a minus for parentheses."""
        if self.parentheses:
            text = pc.replace_substring_regex(text, r"^\((.*)\)$", r"-\1")
        return _without_unit(text, self.unit) if self.unit else text


PLAIN = Marks()


def _without_unit(text: pa.Array, unit: str) -> pa.Array:
    """Without the unit and the blanks beside it; what has none is no number."""
    sign = re.escape(unit)
    first, last = rf"^([+-]?){_BLANKS}{sign}{_BLANKS}", rf"{_BLANKS}{sign}$"
    behind = pc.replace_substring_regex(text, last, "")
    behind = pc.if_else(pc.match_substring_regex(text, last), behind, "no number")
    before = pc.replace_substring_regex(text, first, r"\1")
    return pc.if_else(pc.match_substring_regex(text, first), before, behind)
