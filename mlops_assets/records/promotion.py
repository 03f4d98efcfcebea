"""Moves of a champion."""

from typing import Any, Literal

from pydantic import AwareDatetime, Field

from mlops_assets.blocks.base import Record
from mlops_assets.records.serving import Endpoint


class Move(Record):
    """An intended move of a model's alias to another version."""

    model: str = Field(min_length=1)
    alias: Literal["champion"] = "champion"
    to_version: int = Field(ge=1)
    who: str = Field(min_length=1, description="A user, or the id of a Dagster run.")
    why: str = Field(
        pattern="^(gate|rollback(: .+)?|manual: .+|adopted: .+)$",
        description="`gate`, `rollback`, `rollback: TEXT`, `manual: TEXT` or `adopted: TEXT`.",
    )
    evaluation: dict[str, Any] | None = Field(
        None, description="The evaluation as JSON: rows outlive changes of its record."
    )
    data_version: str | None = Field(None, description="DVC md5 of the raw data trained on.")
    git_sha: str | None = None

    @property
    def is_rollback(self) -> bool:
        """Whether it gives up the version it leaves."""
        return self.why.startswith("rollback")


class Promotion(Move):
    """A move as the ledger holds it."""

    sequence: int = Field(ge=1, description="Of the model; without gaps.")
    time: AwareDatetime
    from_version: int | None = Field(description="None for a model's first champion.")


class HandMove(Record):
    """What a rollback or a promotion by hand did."""

    endpoint: Endpoint
    before: int | None = Field(description="The champion until then; may be the same version.")
