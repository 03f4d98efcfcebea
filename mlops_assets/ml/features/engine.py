"""What an engine must do so that features and labels can be computed by it.

Which events are aggregated as of which moment, and what a label is, is `ml.features.build`, once
for all engines; an engine only aggregates. The one of arrays is `ml.features.arrays`, the default;
the others are in `mlops_assets.engines`.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd

from mlops_assets.blocks.features import AggregateSettings
from mlops_assets.config import ModelSettings
from mlops_assets.ml.stored_rows import AnyRows

Wanted = Mapping[str, AggregateSettings]
"""Name -> what is computed of the events under it."""


class Roles(NamedTuple):
    """For what the columns of an event log are read; one may have both roles."""

    numbers: list[str]
    """To be aggregated as numbers."""
    compared: list[str]
    """To be counted if distinct, or to choose events by."""

    @property
    def columns(self) -> list[str]:
        """All of them, each once."""
        return sorted({*self.numbers, *self.compared})

    @classmethod
    def of(cls, wanted: Wanted) -> "Roles":
        """Those of the columns that are named."""
        used = [(one.agg == "nunique", one.column) for one in wanted.values() if one.column]
        tested = {column for one in wanted.values() for column in one.where}
        return cls(
            sorted({column for distinct, column in used if not distinct}),
            sorted({column for distinct, column in used if distinct} | tested),
        )


class EventLog(Protocol):
    """Events that can be aggregated: whose, when, and the columns that are wanted."""

    @property
    def oldest(self) -> pd.Timestamp:
        """Moment of the first event, UTC."""
        ...

    @property
    def newest(self) -> pd.Timestamp:
        """Moment of the last event, UTC."""
        ...

    def before(self, moment: int) -> pd.DataFrame:
        """What is wanted of the events of t < moment (ns since the epoch), each in its window.

        Returns:
            A row per entity with such an event, sorted by entity: its column, and float64 columns
            as `AggregationWindow.compute` defines them.
        """
        ...

    def following(self, moment: int, length: int, entities: pd.Series) -> np.ndarray:
        """The one thing that is wanted, of all events of moment <= t < moment + length, in ns.

        Returns:
            float64, one for each of `entities`; one without events has an empty window.
        """
        ...


class Engine(Protocol):
    """Opens event logs; what it opened needs no more once it is closed."""

    @property
    def name(self) -> str:
        """What `MLOPS_ENGINE` calls it."""
        ...

    def opened(
        self, events: AnyRows, settings: ModelSettings, wanted: Wanted
    ) -> AbstractContextManager[EventLog]:
        """The event log of a frame or a file, a row for each event, in any order.

        Raises:
            FeatureError: No events, or a column that is missing or not what is wanted of it.
        """
        ...
