"""The event log of an engine that runs Ibis expressions over the table of `EventRelation`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.engines.relation import EventRelation

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class RelationLog:
    """As `EventLog` says, over a table in an engine."""

    run: Callable[["ir.Table"], pa.Table]
    relation: EventRelation
    entity: str

    @property
    def oldest(self) -> pd.Timestamp:
        """See `EventLog`."""
        return self._moment("oldest")

    @property
    def newest(self) -> pd.Timestamp:
        """See `EventLog`."""
        return self._moment("newest")

    def before(self, moment: int) -> pd.DataFrame:
        """See `EventLog`."""
        found = self.run(self.relation.before(moment))
        return found.rename_columns([self.entity, *self.relation.wanted]).to_pandas()

    def following(self, moment: int, length: int, entities: pd.Series) -> np.ndarray:
        """See `EventLog`."""
        ((_, one),) = self.relation.wanted.items()
        found = self.run(self.relation.following(moment, length)).to_pandas()
        values = found.set_index("entity")["wanted_0"].reindex(entities)
        known = values.index.isin(found["entity"])
        empty = 0.0 if one.agg in ("count", "sum", "nunique") else np.nan
        return np.where(known, values.to_numpy(), empty)

    def _moment(self, which: str) -> pd.Timestamp:
        (moment,) = self.run(self.relation.span())[which].to_pylist()
        return pd.DatetimeIndex([moment], tz="UTC")[0]
