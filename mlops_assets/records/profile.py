"""What a column looked like: counts in fixed bins, which add up over days and workers."""

from pydantic import ConfigDict, Field

from mlops_assets.blocks.base import Settings


class Bins(Settings):
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

    @property
    def size(self) -> int:
        """Number of bins, without that of the missing values."""
        return len(self.points) + len(self.edges) + 1


class ColumnProfile(Settings):
    """One column of some rows."""

    model_config = ConfigDict(ser_json_inf_nan="strings")  # JSON has no infinity

    bins: Bins
    counts: tuple[int, ...] = Field(description="Per point, then per interval, without missing.")
    sums: tuple[float, ...] = Field(description="Of the numbers in each interval; none of texts.")
    missing: int = 0
    low: float | None = Field(None, description="Smallest number; None without any.")
    high: float | None = None

    @property
    def rows(self) -> int:
        """All values, the missing ones too."""
        return sum(self.counts) + self.missing


class Profile(Settings):
    """The features of some rows, and as `prediction` what the model made of them."""

    rows: int
    columns: dict[str, ColumnProfile]
