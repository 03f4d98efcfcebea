"""What a model is for, in the words of those who answer for it."""

from pydantic import Field

from mlops_assets.blocks.base import Settings


class CardSettings(Settings):
    """What no figure says of a model; it stands in the model card of each version."""

    intended_use: str = Field("", description="Who decides what with a prediction.")
    out_of_scope: tuple[str, ...] = Field((), description="What it must not be used for.")
    limits: tuple[str, ...] = Field((), description="What it does not know, or is known to miss.")
