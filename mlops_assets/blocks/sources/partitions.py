"""How the rows of a model are cut by their timestamp."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from mlops_assets.blocks.base import Day, Settings


class PartitionSettings(Settings):
    """The data in parts by the rows' timestamp: what arrives costs what it touches."""

    cadence: Literal["day", "week", "month"] = Field(
        description="How long a partition is, in UTC; a week begins on Monday."
    )
    start: Day = Field(
        description="First day of the first partition, e.g. 2024-01-01; an older row breaks the "
        "contract."
    )

    @model_validator(mode="after")
    def _start_is_one(self) -> Self:
        today = datetime.now(UTC).date()
        if self.start > today:
            raise ValueError(f"start {self.start} is after today, {today} in UTC; correct it")
        if (first := self.first_day(self.start)) != self.start:
            raise ValueError(f"start {self.start} begins no {self.cadence}; write {first}")
        return self

    @property
    def since(self) -> datetime:
        """The moment at which the first partition begins."""
        return datetime.combine(self.start, time(), UTC)

    def first_day(self, day: date) -> date:
        """With which day the partition of a day begins."""
        if self.cadence == "month":
            return day.replace(day=1)
        return day - timedelta(days=day.weekday()) if self.cadence == "week" else day

    def keys_until(self, last: str) -> list[str]:
        """The keys of all partitions from the first to `last`, e.g. 2024-01-31, inclusive."""
        keys, day, end = [], self.start, date.fromisoformat(last)
        while day <= end:
            keys.append(day.isoformat())
            day = self.first_day(day + timedelta(days=_LONGEST_PARTITION[self.cadence]))
        return keys


_LONGEST_PARTITION = {"day": 1, "week": 7, "month": 31}
"""Days after which the next one has begun, and not yet the one after that."""
