"""The log of predictions that an endpoint's workers write."""

from typing import Literal

from pydantic import Field

from mlops_assets.blocks.base import Settings


class LogSettings(Settings):
    """Every answered row is logged before the answer; a killed process loses none."""

    enabled: bool = True
    fsync: Literal["never", "interval", "request"] = Field(
        "interval",
        description="What a loss of power may cost: what the system had not written (never), the "
        "last second (interval), nothing that was answered (request; slowest).",
    )
    rotate_mb: int = Field(64, ge=1, description="A worker begins a new file at this size.")
    max_disk_mb: int = Field(
        2000,
        ge=1,
        description="Of all files; beyond it the oldest compacted ones are deleted, and where "
        "there is none, `on_full` holds.",
    )
    on_full: Literal["refuse", "degrade"] = Field(
        "refuse",
        description="When a row cannot be logged: answer 507, or answer without logging and count "
        "it in `/model` and `model_prediction_log_failures_total`.",
    )
