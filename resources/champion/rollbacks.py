"""What a rollback means for the versions that come after it.

It holds against the versions that it gave up, and against every other one that is made of the same
data, code and settings as one of them: that is the same model under another number, e.g. of a
training that was in flight, or of a schedule. It ends for what is new in any of the three, and when
a person promotes what was given up.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mlops_assets.errors import PromotionRefusedError
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.promotion import Move, Promotion
from resources.champion.ledger import given_up
from resources.tracking.tracking import MLflowTracking


class Hold(NamedTuple):
    """A rollback that holds against a version."""

    given_up: int
    """The version that was given up, or is repeated."""
    rollback: Promotion
    champion: int
    """The version that serves now."""

    def said(self, version: int) -> str:
        """Why it holds against `version`, and what ends it."""
        model, who, why = self.rollback.model, self.rollback.who, self.rollback.why
        what = f"version {version} of {model} was given up"
        if version != self.given_up:
            what = (
                f"version {version} of {model} is made of the same data, code and settings as "
                f"version {self.given_up}, which was given up"
            )
        when = f"{self.rollback.time:%Y-%m-%d %H:%M} UTC"
        to = self.rollback.to_version
        back = f"`mlops rollback {model} --to {to}` serves what it went back to, "
        return (
            f"{what} by {who} at {when} ({why}), and passing the gate again is no news. New data "
            f"are judged anew; {back if self.champion != to else ''}"
            f"`mlops promote {model} {self.given_up} --why TEXT` overrules"
        )


class MadeOf(NamedTuple):
    """What a version was trained from: DVC md5 of the data, and digests; None: not recorded."""

    data: str | None
    code: str | None = None
    settings: str | None = None

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> "MadeOf":
        """By the tags of its run."""
        return cls(tags.get("dvc/md5"), tags.get("code/sha256"), tags.get("settings/sha256"))

    def repeats(self, other: "MadeOf") -> bool:
        """Whether nothing is new: the same data, and no other difference that is on record."""
        known = [new == old for new, old in zip(self, other, strict=True) if new and old]
        return self.data is not None and self.data == other.data and all(known)


def hold_against(
    version: ModelVersion, history: Sequence[Promotion], tracking: MLflowTracking
) -> Hold | None:
    """The newest rollback that holds against a version; None if none does.

    The history is of all moves of the model, the oldest first.
    """
    if history and history[-1].to_version == version.version:
        return None
    made = MadeOf.of(tracking.run_of(version).tags())
    for number, rollback in reversed(given_up(history).items()):
        if number == version.version or made.repeats(_made_of(number, history, tracking)):
            return Hold(number, rollback, history[-1].to_version)
    return None


def require_not_given_up(
    move: Move, history: Sequence[Promotion], tracking: MLflowTracking
) -> None:
    """Raise `PromotionRefusedError` at a move by the gate that a rollback holds against."""
    version = tracking.registry.version(move.model, move.to_version) if move.why == "gate" else None
    if version and (hold := hold_against(version, history, tracking)):
        raise PromotionRefusedError(hold.said(move.to_version))


def _made_of(number: int, history: Sequence[Promotion], tracking: MLflowTracking) -> MadeOf:
    """Of a version that was champion; the ledger knows the data of one that was deleted since."""
    if version := tracking.registry.version(history[0].model, number):
        return MadeOf.of(tracking.run_of(version).tags())
    return next(MadeOf(p.data_version) for p in reversed(history) if p.to_version == number)
