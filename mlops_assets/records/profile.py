"""What a column looked like: counts in fixed bins, which add up over days and workers."""

from math import sqrt

from pydantic import AwareDatetime, ConfigDict, Field

from mlops_assets.blocks.base import Duration, Record


class Ageing(Record):
    """How a column grows by the calendar alone: it is counted as it was, or will be, at `as_of`."""

    per: Duration = Field(description="The time in which every value grows by 1.")
    as_of: AwareDatetime


class Bins(Record):
    """How a column is counted: values that have a bin of their own, then intervals of the rest."""

    points: tuple[float, ...] | tuple[str, ...] = Field(
        (), description="Values of their own bin: frequent numbers, e.g. 0, or categories."
    )
    edges: tuple[float, ...] = Field(
        (), description="Inner edges of the other numbers' intervals, ascending; none for texts."
    )
    scale: float = Field(
        1.0, gt=0, description="Standard deviation of the reference; 1 for a constant and texts."
    )
    ageing: Ageing | None = None

    @property
    def are_texts(self) -> bool:
        """Whether categories are counted, not numbers."""
        return bool(self.points) and isinstance(self.points[0], str)

    @property
    def size(self) -> int:
        """Number of bins, without that of the missing values."""
        return len(self.points) + len(self.edges) + 1


class ColumnProfile(Record):
    """One column of some rows."""

    model_config = ConfigDict(ser_json_inf_nan="strings")  # JSON has no infinity

    bins: Bins
    counts: tuple[int, ...] = Field(description="Per point, then per interval, without missing.")
    sums: tuple[float, ...] = Field(description="Of the numbers in each interval; none of texts.")
    missing: int = 0
    low: float | None = Field(None, description="Smallest number; None without any.")
    high: float | None = None
    squares: float | None = Field(
        None,
        description="Sum of the numbers' squared distances from their mean; None of texts and with "
        "an infinite number.",
    )

    @property
    def rows(self) -> int:
        """All values, the missing ones too."""
        return sum(self.counts) + self.missing

    @property
    def mean(self) -> float | None:
        """Of the numbers; None without any."""
        if self.low is None:
            return None
        at_points = sum(
            float(point) * count
            for point, count in zip(self.bins.points, self.counts, strict=False)
            if count
        )
        return (at_points + sum(self.sums)) / sum(self.counts)

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the numbers; None where it is not known."""
        if self.low is None or self.squares is None:
            return None
        return sqrt(self.squares / sum(self.counts))


class Profile(Record):
    """The features of some rows, and as `prediction` what the model made of them."""

    rows: int
    columns: dict[str, ColumnProfile]
    features_digest: str = Field(
        "", description="Of how the features are defined; profiles of equal ones are comparable."
    )

    @property
    def bins(self) -> dict[str, Bins]:
        """How each column is counted."""
        return {name: column.bins for name, column in self.columns.items()}


class Counting(Record):
    """How the rows of a day are counted; a day is counted once for each value of this."""

    bins: dict[str, Bins]
    window: Duration = Field(description="Rows of different windows are counted apart.")


class Part(Record):
    """What one model version answered in one role on one day, within one window."""

    start: AwareDatetime = Field(description="Of the window.")
    model_version: int
    role: str
    profile: Profile


class DayProfiles(Record):
    """One daily file of the prediction log, counted."""

    file: str = Field(description="State of the file that was counted; another is counted again.")
    versions: tuple[int, ...] = Field(description="Whose rows were counted.")
    parts: tuple[Part, ...]
