"""Moments that are not whole seconds of a recent year in UTC."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from hypothesis import strategies as st

ZONES = (
    "UTC",
    "Asia/Tokyo",
    "America/New_York",
    "Asia/Kolkata",
    "Pacific/Chatham",
    "Europe/London",
    "America/St_Johns",
    "Pacific/Apia",
)
"""Far east and far west of UTC, half and quarter hours, with and without summer time."""

STARTS = (
    "1677-10-01T00:00:00Z",
    "1899-12-31T23:00:00Z",
    "1969-12-31T23:00:00Z",
    "2000-02-29T12:00:00Z",
    "2026-03-08T04:00:00Z",  # New York loses an hour
    "2025-11-02T04:00:00Z",  # and has one twice
    "2026-03-29T00:00:00Z",  # London
    "2038-01-19T03:00:00Z",
    "2150-01-01T00:00:00Z",
)

STEPS = ("1ns", "1us", "1ms", "700ms", "1s", "59s", "17min", "1h", "23h", "1D", "31D")


@dataclass(frozen=True)
class Clock:
    """How a table's moments follow each other, and how they are written."""

    start: str
    step: str
    digits: int
    """Of a second's fraction; what is finer is not in the table."""
    offset: str

    def moments(self, rows: int) -> pd.DatetimeIndex:
        """`rows` moments, ascending, equal ones where the step is below the digits."""
        step = pd.Timedelta(self.step).value
        start = pd.Timestamp(self.start).value
        unit = 10 ** (9 - self.digits)
        exact = start + step * np.arange(rows, dtype=np.int64)
        return pd.DatetimeIndex((exact // unit * unit).astype("datetime64[ns]")).tz_localize("UTC")

    def text(self, moment: pd.Timestamp) -> str:
        """ISO 8601 with the offset."""
        local = moment.tz_convert(self.offset)
        fraction = f".{local.value % 10**9:09d}"[: self.digits + 1] if self.digits else ""
        offset = local.strftime("%z")
        return f"{local:%Y-%m-%dT%H:%M:%S}{fraction}{offset[:3]}:{offset[3:]}"


clocks = st.builds(
    Clock,
    start=st.sampled_from(STARTS),
    step=st.sampled_from(STEPS),
    digits=st.sampled_from((0, 1, 3, 6, 9)),
    offset=st.sampled_from(("UTC", "Etc/GMT-9", "Etc/GMT+5")),
)
