"""What one column of a table looks like."""

from pydantic import Field

from mlops_assets.blocks.base import Record


class ColumnSummary(Record):
    """One column; numbers and moments are spelled for a person."""

    column: str
    type: str
    rows: int
    missing: float = Field(description="Share of the rows.")
    different: int = Field(0, description="Values, of at most some 100,000 rows.")
    low: str | None = None
    mean: str | None = None
    high: str | None = None
    deviation: str | None = None
    most_frequent: str | None = Field(None, description="Of texts: the value and its share.")
