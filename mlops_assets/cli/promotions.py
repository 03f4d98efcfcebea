"""The verbs `history`, `rollback` and `promote`: what they take, do and say.

The caller (`cli.main`) finds the model's settings and resources and prints.
"""

import argparse
import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import ConfigError, PromotionRefusedError
from mlops_assets.records.promotion import Move, Promotion
from resources.deployment import EndpointDeployer
from resources.ledger import PromotionLedger, standing
from resources.registry import promote
from resources.tracking import MLflowTracking

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_promotion_verbs(verbs: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the three verbs."""
    verb = verbs.add_parser("history", help="which version was champion when, by whom and why")
    verb.add_argument("model")
    verb.add_argument("--at", help="only at this moment, e.g. 2026-03-03 or 2026-03-03T12:00 (UTC)")
    verb = verbs.add_parser("rollback", help="serve an older version again")
    verb.add_argument("model")
    verb.add_argument("--to", type=int, metavar="VERSION", help="default: the champion before")
    verb.add_argument("--why", metavar="TEXT", type=reason)
    verb = verbs.add_parser("promote", help="serve a version that was deployed before")
    verb.add_argument("model")
    verb.add_argument("version", type=int)
    verb.add_argument("--why", metavar="TEXT", type=reason, required=True)


@dataclass(frozen=True)
class Promotions:
    """The champion of one model: looked at, and moved by hand."""

    model: str
    settings: DeploymentSettings
    tracking: MLflowTracking
    ledger: PromotionLedger
    deployment: EndpointDeployer

    def history(self) -> str:
        """A table of all moves, the oldest first."""
        moves = self.ledger.history(self.model)
        return _table(moves) if moves else f"{self.model}: no champion yet"

    def at(self, text: str) -> str:
        """Which version was champion at a moment; a date alone means its end."""
        moment = parse_moment(text)
        found = self.ledger.as_of(self.model, moment)
        if found is None:
            return f"{self.model}: no champion at {moment:%Y-%m-%d %H:%M:%S} UTC"
        return (
            f"{self.model}: version {found.to_version} at {moment:%Y-%m-%d %H:%M:%S} UTC, "
            f"champion since {found.time:%Y-%m-%d %H:%M:%S} UTC by {found.who} ({found.why})"
        )

    def roll_back(self, to: int | None, why: str | None) -> str:
        """Serve version `to`, or the champion before this one.

        Raises:
            PromotionRefusedError: There is none before, and `to` is not given.
            DeploymentError: The version was never deployed, or cannot be served.
        """
        if to is None:
            versions = standing(self.ledger.history(self.model))
            if len(versions) < 2:
                raise PromotionRefusedError(
                    f"{self.model} has no earlier champion; name a version by --to"
                )
            to = versions[-2]
        return self.move(to, f"rollback: {why}" if why else "rollback")

    def move(self, version: int, why: str) -> str:
        """Serve a version from its kept files, then make it the champion.

        Raises:
            DeploymentError: The version was never deployed, or cannot be served.
            PromotionConflictError: Somebody moved the champion in the meantime.
        """
        head = self.ledger.head(self.model)
        move = Move(model=self.model, to_version=version, who=getpass.getuser(), why=why)
        with promote(move, head, tracking=self.tracking, ledger=self.ledger):
            endpoint = self.deployment.redeploy(self.model, version, self.settings)
        before = head.to_version if head else None
        moved = "champion as before" if before == version else f"champion after {before or 'none'}"
        return f"{self.model}: version {version} at {endpoint.url}, {moved}"


def parse_moment(text: str) -> datetime:
    """Read an ISO date, meaning its last moment, or date and time; UTC unless it says otherwise.

    Raises:
        ConfigError: It is neither.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise ConfigError(f"{text!r} is no date like 2026-03-03 or 2026-03-03T12:00") from err
    if len(text) <= len("2026-03-03"):
        moment = datetime.combine(moment, time.max)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def reason(text: str) -> str:
    """One line that is not empty, as an argument."""
    if not (line := " ".join(text.split())):
        raise argparse.ArgumentTypeError("say why")
    return line


def _table(moves: Sequence[Promotion]) -> str:
    head = ("when (UTC)", "version", "who", "why")
    rows = [
        (
            f"{move.time:%Y-%m-%d %H:%M:%S}",
            f"{move.from_version or '-'} -> {move.to_version}",
            move.who,
            move.why,
        )
        for move in moves
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (head, *rows)
    ]
    return "\n".join(line.rstrip() for line in lines)
