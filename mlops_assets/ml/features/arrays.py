"""The engine of arrays, in memory: the default, and what the others are compared with.

Its results are the same to the last bit on every machine. What each aggregate is stands in
`ml.features.windows`.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from mlops_assets.blocks.features import Where
from mlops_assets.config import ModelSettings
from mlops_assets.ml.features.engine import Roles, Wanted
from mlops_assets.ml.features.keyed import event_frame, row_keys
from mlops_assets.ml.features.windows import SortedEvents
from mlops_assets.ml.stored_rows import AnyRows

ARRAYS_NAME = "arrays"


@dataclass(frozen=True)
class ArrayLog:
    """As `EventLog` says, over sorted arrays."""

    events: SortedEvents
    entity: str
    wanted: Wanted

    @property
    def oldest(self) -> pd.Timestamp:
        """See `EventLog`."""
        return self.events.oldest

    @property
    def newest(self) -> pd.Timestamp:
        """See `EventLog`."""
        return self.events.newest

    def before(self, moment: int) -> pd.DataFrame:
        """See `EventLog`."""
        log = self.events
        present = np.flatnonzero(log.window(None, moment).compute("count"))
        spans = {one.window for one in self.wanted.values()}
        windows = {w: log.window(None if w is None else moment - ns(w), moment) for w in spans}
        columns = {self.entity: log.entities.take(present).to_numpy()}
        for name, one in self.wanted.items():
            events_of = windows[one.window].only(name)
            columns[name] = events_of.compute(one.agg, one.column)[present]
        return pd.DataFrame(columns)

    def following(self, moment: int, length: int, entities: pd.Series) -> np.ndarray:
        """See `EventLog`."""
        ((name, one),) = self.wanted.items()
        events = self.events.window(moment, moment + length).only(name)
        codes = self.events.entities.get_indexer(entities)
        return events.compute(one.agg, one.column)[codes]


class Arrays:
    """As `Engine` says, in memory."""

    name = ARRAYS_NAME

    @contextmanager
    def opened(
        self, events: AnyRows, settings: ModelSettings, wanted: Wanted
    ) -> Generator[ArrayLog]:
        """See `Engine`."""
        roles = Roles.of(wanted)
        events = event_frame(events, settings, roles.columns)
        distinct = sorted({str(one.column) for one in wanted.values() if one.agg == "nunique"})
        chosen = {name: _chosen(events, one.where) for name, one in wanted.items() if one.where}
        keys = row_keys(events, settings)
        log = SortedEvents.of(keys, events, roles.numbers, distinct, chosen)
        yield ArrayLog(log, settings.key.name, wanted)


ARRAYS = Arrays()


def ns(length: timedelta) -> int:
    """A length of time in nanoseconds."""
    return int(pd.Timedelta(length).value)


def _chosen(events: pd.DataFrame, where: Where) -> np.ndarray:
    """Whether each event has one of the values in each of the columns."""
    return np.logical_and.reduce([events[name].isin(values) for name, values in where.items()])
