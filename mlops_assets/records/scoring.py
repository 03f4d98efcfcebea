"""What a batch of predictions came to."""

from pydantic import Field

from mlops_assets.blocks.base import Moment, Record


class BatchSummary(Record):
    """One batch: what was answered, by which version, and where it stands."""

    model: str
    model_version: int
    batch: str = Field(description="Its id: the same of the same rows, asked of the same version.")
    scored_at: Moment
    rows: int = Field(description="That were answered.")
    quarantined: int = Field(description="That were not.")
    reasons: dict[str, int] = Field(description="Rule that was broken -> values that broke it.")
    exceeded: str | None = Field(
        None,
        description="The limit of the contract that so many bad rows of a table are above, with "
        "its value; the exit code is 1 then.",
    )
    logged: int = Field(
        description="Rows that are new in the prediction log: none if the batch stands in it."
    )
    output: str = Field(description="File of the answers.")
    quarantine: str | None = Field(description="File of the other rows; None without any.")
    ignored: tuple[str, ...] = Field(description="Columns of the input that nothing is made of.")
