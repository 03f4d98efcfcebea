"""The rows that features are computed of, as the `processing` block says, from checked ones.

The meaning is that of `ml.data.processing`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mlops_assets.blocks.base import Scalar
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.contract import CheckedTable
from mlops_assets.engines.readings.dialects import Dialect, forced
from mlops_assets.engines.readings.steps import Steps
from mlops_assets.ml.data.casting import cast
from mlops_assets.ml.data.marks import PLAIN
from mlops_assets.ml.data.processing import process

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class ProcessedTable:
    """Processed rows, with numbered columns."""

    rows: "ir.Table"
    dialect: Dialect
    _places: dict[str, str]

    def __getitem__(self, name: str) -> Any:
        """A column of the contract that processing keeps, of the type that a frame's has."""
        return self.rows[self._places[name]]

    def number(self, name: str) -> Any:
        """The same as float64."""
        return as_number(self[name])

    def moment(self, name: str) -> Any:
        """The same of a datetime, as microseconds since 1970."""
        return self.dialect.microseconds(self[name])


def processed(checked: CheckedTable, settings: ModelSettings, steps: Steps) -> ProcessedTable:
    """Drop columns, then exact duplicates, then fill missing values.

    Raises:
        ContractError: As `ml.data.processing.process`.
    """
    contract, block = settings.contract, settings.processing
    nothing = {
        name: cast(pd.Series(dtype=object, name=name), rule, PLAIN).typed
        for name, rule in contract.columns.items()
    }
    kinds = process(pd.DataFrame(nothing), block).dtypes
    names = list(contract.columns)
    places = {name: f"value_{names.index(name)}" for name in kinds.index}
    rows = checked.judged.filter(checked.judged["reason"] == "").select(*places.values())
    if block.drop_duplicates:
        rows = steps.add("mlops_distinct", rows.distinct())
    columns = {}
    for name, place in places.items():
        column = rows[place]
        plain = as_number(column) if kinds[name] == np.float64 else column
        value = block.fill_na.get(name)
        columns[place] = plain if value is None else _filled(plain, kinds[name], value)
    rows = steps.add("mlops_rows", rows.select(**columns))
    return ProcessedTable(rows, steps.dialect, places)


def as_number(column: Any) -> Any:
    """As float64; of a boolean 0 and 1."""
    if column.type().is_boolean():
        column = column.ifelse(1.0, (~column).ifelse(0.0, None))
    return forced(column, "float64")


def _filled(column: Any, kind: Any, value: Scalar) -> Any:
    import ibis

    if column.type().is_timestamp() and isinstance(value, str):
        moment = pd.Timestamp(value).tz_convert("UTC")
        moment = moment if column.type().timezone else moment.tz_localize(None)
        return column.fill_null(ibis.literal(moment, column.type()))
    kinds = {"O": str, "b": bool, "i": int, "f": float}
    return column.fill_null(kinds[np.dtype(kind).kind](value))
