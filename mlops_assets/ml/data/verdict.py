"""How many rows break the contract, by which rules, and whether that is too many.

Which rows do, and why, is `ml.data.contract`.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, Self

from mlops_assets.blocks.data import ContractSettings
from mlops_assets.ml.data.contract import Checked, most_first, violations

_DECIMAL_COMMA = re.compile(r"'[-+]?[0-9.]*,[0-9]+' is not a finite float64")


class Tally(NamedTuple):
    """Of rows that were checked, at once or in batches."""

    good: int
    bad: int
    broken: Mapping[str, int]
    """`COLUMN.RULE` -> how many values broke it, most first."""
    first: tuple[int, str] | None
    """Of the bad rows the first: its number and the reasons."""

    @classmethod
    def of(cls, checked: Checked) -> Self:
        """Of the rows of one frame."""
        bad = checked.bad
        first = (int(bad["row"].iloc[0]), bad["reason"].iloc[0]) if len(bad) else None
        return cls(len(checked.rows), len(bad), violations(checked), first)

    def plus(self, later: "Tally") -> "Tally":
        """With the rows of a later batch."""
        broken = most_first(Counter(self.broken) + Counter(later.broken))
        good, bad = self.good + later.good, self.bad + later.bad
        return Tally(good, bad, broken, self.first or later.first)


def contract_holds(found: Tally, contract: ContractSettings) -> bool:
    """Whether the good rows may be used: few enough are bad, and at least one is good."""
    if not found.good:
        return False
    return contract.exceeded(found.broken, found.bad, found.good + found.bad) is None


def broken_contract(found: Tally, where: str) -> str:
    """What to tell when too many rows break the contract; `where` the bad ones are now."""
    row, reason = found.first or (0, "there is no row")
    broken = ", ".join(f"{rule} {count:,}" for rule, count in found.broken.items())
    remedy = "correct the source, or `contract` if it is too strict"
    if _DECIMAL_COMMA.search(reason):
        remedy = 'if its decimals are written with a comma, set `source.decimal: ","`'
    return (
        f"{found.bad} of {found.bad + found.good} rows break the contract "
        f"({broken}), e.g. row {row}: {reason}. They are {where}; "
        f"{remedy}."
    )
