"""Features and labels of an event log: as `ml.features.build` says, in one query for all snapshots.

What an aggregate is stands in `mlops_assets.engines.aggregates`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from mlops_assets.blocks.features import AggregateSettings
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.columns import us
from mlops_assets.engines.readings.processing import ProcessedTable
from mlops_assets.engines.readings.steps import Steps
from mlops_assets.engines.readings.target import target_of
from mlops_assets.engines.relation import computed_of
from mlops_assets.errors import FeatureError
from mlops_assets.ml.features.arrays import ns
from mlops_assets.ml.features.engine import Roles
from mlops_assets.ml.features.snapshots import snapshot_times
from mlops_assets.ml.frames import TIMESTAMP

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class EventLogReading:
    """The features and labels of a model over its processed rows; each is asked for once."""

    settings: ModelSettings
    rows: ProcessedTable
    steps: Steps
    now: datetime | None
    """Until when events have happened, and snapshots are taken; None: as of the query and today."""
    zoned: bool

    @cached_property
    def features(self) -> "ir.Table":
        """A row for each entity and snapshot: its key, the moment, and the features."""
        block = self.settings.features
        joined = self._events.join(self._moments, self._events["at"] < self._moments["moment"])
        grouped = joined.group_by(["entity", "moment", TIMESTAMP]).agg(
            **computed_of(joined, block.aggregates, self._roles, joined["moment"])
        )
        return self.steps.add("mlops_features", grouped)

    @cached_property
    def labels(self) -> "ir.Table":
        """A row for each of those whose outcome is known: `entity`, `moment`, and the target."""
        target = self.settings.target
        if target.window is None:
            raise FeatureError("the target is a column of a flat table; it has no window")
        length, happened = ns(target.window), self._happened
        keys = self.features.select(whose="entity", moment="moment")
        keys = self.steps.add(
            "mlops_matured",
            keys.filter(keys["moment"] + length <= happened["at"].max().as_scalar()),
        )
        joined = keys.left_join(
            happened,
            [
                keys["whose"] == happened["entity"],
                happened["at"] >= keys["moment"],
                happened["at"] < keys["moment"] + length,
            ],
        )
        there = joined["at"].notnull()  # noqa: PD004  of Ibis
        end = joined["moment"] + length
        computed = computed_of(joined, {target.name: self._wanted}, self._roles, end, [there])
        found = self.steps.add(
            "mlops_following", joined.group_by(["whose", "moment"]).agg(**computed)
        )
        value, known = target_of(found["wanted_0"], target)
        found = found.filter(known).select("whose", "moment", outcome=value)
        return self.steps.add("mlops_labels", found)

    def named_features(self) -> "ir.Table":
        """The features under their names."""
        return self.features.select(**self._key(self.features), **self._features(self.features))

    def named_labels(self) -> "ir.Table":
        """The labels, with the key's names."""
        labels, name = self.labels, self.settings.target.name
        features = self.features
        joined = labels.inner_join(
            features,
            [labels["whose"] == features["entity"], labels["moment"] == features["moment"]],
        )
        return joined.select(**self._key(joined), **{name: joined["outcome"]})

    def training(self) -> "ir.Table":
        """The features with the targets, null where not known."""
        labels, name = self.labels, self.settings.target.name
        features = self.features
        joined = features.left_join(
            labels,
            [features["entity"] == labels["whose"], features["moment"] == labels["moment"]],
        )
        return joined.select(
            **self._key(joined), **{name: joined["outcome"]}, **self._features(joined)
        )

    def _key(self, rows: "ir.Table") -> dict[str, Any]:
        return {self.settings.key.name: rows["entity"], TIMESTAMP: rows[TIMESTAMP]}

    def _features(self, rows: "ir.Table") -> dict[str, Any]:
        names = self.settings.features.aggregates
        return {name: rows[f"wanted_{place}"] for place, name in enumerate(names)}

    @property
    def _wanted(self) -> AggregateSettings:
        target = self.settings.target
        return AggregateSettings.model_validate(
            {"agg": target.agg, "column": target.column, "where": target.where}
        )

    @cached_property
    def _roles(self) -> Roles:
        return Roles.of({**self.settings.features.aggregates, "": self._wanted})

    @cached_property
    def _events(self) -> "ir.Table":
        """As `mlops_assets.engines.relation.TABLE` says."""
        rows = self.rows
        columns = {
            "entity": rows[self.settings.key.name],
            "at": rows.moment(self.settings.timestamp_column) * 1000,
        }
        columns |= {
            f"number_{at}": rows.number(name) for at, name in enumerate(self._roles.numbers)
        }
        for at, name in enumerate(self._roles.compared):
            is_moment = self.settings.contract.columns[name].dtype == "datetime"
            columns[f"compared_{at}"] = rows.moment(name) if is_moment else rows[name]
        return self.steps.add("mlops_events", rows.rows.select(**columns))

    @cached_property
    def _happened(self) -> "ir.Table":
        """Without the events of times to come, which are not all of their time."""
        rule = self.settings.contract.columns[self.settings.timestamp_column]
        if rule.future == "refuse":
            return self._events
        now: Any = self.steps.dialect.now() if self.now is None else us(self.now)
        return self.steps.add(
            "mlops_happened", self._events.filter(self._events["at"] <= now * 1000)
        )

    @cached_property
    def _moments(self) -> "ir.Table":
        """The snapshots: `moment` in ns since the epoch, and as a timestamp."""
        import ibis

        snapshots = self.settings.features.snapshots
        if snapshots is None:
            raise FeatureError("the settings describe a flat table, not an event log")
        last = pd.Timestamp.fromtimestamp((self.now or datetime.now(UTC)).timestamp(), UTC)
        rows = [self._moment(moment) for moment in snapshot_times(snapshots, last)]
        moments = self.steps.add("mlops_moments", ibis.union(*rows) if len(rows) > 1 else rows[0])
        if snapshots.end is not None:
            return moments
        newest = self._events["at"].max().as_scalar()
        return self.steps.add("mlops_past", moments.filter(moments["moment"] <= newest))

    def _moment(self, moment: pd.Timestamp) -> "ir.Table":
        """One row, of no table."""
        import ibis
        import ibis.expr.operations as ops

        of_nothing: Any = ops.DummyTable
        kind = "timestamp('UTC')" if self.zoned else "timestamp"
        stamp = moment if self.zoned else moment.tz_localize(None)
        columns = {"moment": ibis.literal(moment.value, "int64")}
        columns[TIMESTAMP] = ibis.literal(stamp, kind)
        return of_nothing({name: one.op() for name, one in columns.items()}).to_expr()
