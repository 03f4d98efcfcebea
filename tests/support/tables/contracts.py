"""Rows of one column against one rule of a contract."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd

from mlops_assets.blocks.data import ContractSettings
from mlops_assets.ml.data.contract import Checked, enforce

NOW = datetime(2020, 1, 1, tzinfo=UTC)


def contract(**columns: Any) -> ContractSettings:
    """A contract of these columns."""
    return ContractSettings.model_validate({"columns": columns})


def check(values: Any, /, **rule: Any) -> Checked:
    """Enforce `rule` on one column `x` beside a column that is always good."""
    frame = pd.DataFrame({"x": values, "n": range(len(values))})
    return enforce(frame, contract(x=rule, n={"dtype": "int64"}), NOW)


def kept(checked: Checked) -> list[Any]:
    """The good values of `x`."""
    return checked.rows["x"].tolist()


def reasons(checked: Checked) -> list[str]:
    """Why each bad row is bad."""
    return checked.bad["reason"].tolist()
