"""What a rule says of a column; `kinds` has a rule for each kind, and asks them in order."""

from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from mlops_assets.blocks.base import Encoding

Use = Literal["feature", "moment", "left out"]


@dataclass(frozen=True)
class Found:
    """What a rule says of a column."""

    rule: str
    why: str
    use: Use = "feature"
    contract: dict[str, Any] = field(default_factory=dict)
    encoding: Encoding | None = None
    numbers: pd.Series | None = None
    """Of a number or a boolean, NaN where there is no value."""
    moments: pd.Series | None = None
    likely: bool = False
    """Whether it may well be otherwise."""
