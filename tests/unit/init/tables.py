"""A small sound table, to which a test adds what it is about."""

from typing import Any

import numpy as np
import pandas as pd

ROWS = 300
RNG = np.random.default_rng(1)
NOISE = RNG.normal(size=ROWS).round(4)
LABEL = (RNG.uniform(size=ROWS) < 0.4).astype(int)
AT = pd.date_range("2024-01-01", periods=ROWS, freq="D").strftime("%Y-%m-%d")


def sound(**columns: Any) -> dict[str, Any]:
    return {"x": NOISE, **columns, "y": LABEL}
