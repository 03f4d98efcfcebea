"""Features and labels of a flat table, a row for each of its rows: as `ml.features.build` says."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_assets.blocks.features import DateSettings
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.processing import ProcessedTable
from mlops_assets.engines.readings.target import target_of
from mlops_assets.errors import ConfigError
from mlops_assets.ml.features.dates import DAY_US
from mlops_assets.ml.frames import TIMESTAMP

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True)
class FlatReading:
    """The features and labels of a model over its processed rows."""

    settings: ModelSettings
    rows: ProcessedTable
    zoned: bool

    def named_features(self) -> "ir.Table":
        """The key, the moment, and the features: float64, or texts."""
        return self.rows.rows.select(**self._key(), **self._features())

    def named_labels(self) -> "ir.Table":
        """Key and moment of the rows whose target is known, the target, and how much they count."""
        value, known = self._target()
        rows = self.rows.rows.filter(known)
        return rows.select(**self._key(), **{self.settings.target.name: value}, **self._weight())

    def training(self) -> "ir.Table":
        """The features, with target and weight where they are known."""
        value, known = self._target()
        named = {self.settings.target.name: value, **self._weight()}
        said = {name: known.ifelse(one, None) for name, one in named.items()}
        return self.rows.rows.select(**self._key(), **said, **self._features())

    def _key(self) -> dict[str, Any]:
        return {
            self.settings.key.name: self.rows[self.settings.key.name],
            TIMESTAMP: self.rows[self.settings.timestamp_column],
        }

    def _target(self) -> tuple[Any, Any]:
        return target_of(self.rows[str(self.settings.target_column)], self.settings.target)

    def _weight(self) -> dict[str, Any]:
        name = self.settings.training.weight
        return {} if name is None else {name: self.rows.number(name)}

    def _features(self) -> dict[str, Any]:
        dates = self.settings.features.dates
        return {
            name: self._date(name, dates[name])
            if name in dates
            else self.rows[name]
            if dtype == "string"
            else self.rows.number(name)
            for name, dtype in self.settings.feature_dtypes.items()
        }

    def _date(self, name: str, date: DateSettings) -> Any:
        import ibis

        if date.part == "age_days":
            now = self.rows.moment(self.settings.timestamp_column)
            age = (now - self.rows.moment(date.column)).cast("float64")
            return age / ibis.literal(float(DAY_US), "float64")
        if self.zoned or self.settings.contract.columns[date.column].timezone != "UTC":
            raise ConfigError(
                f"features.dates.{name}: of a moment with a zone a warehouse says what the clock "
                "of the session shows; give the table the number as a column"
            )
        column = self.rows[date.column]
        parts = {
            "month": column.month,
            "hour": column.hour,
            "year": column.year,
            "dayofyear": column.day_of_year,
            "weekday": column.day_of_week.index,
        }
        return parts[date.part]().cast("float64")
