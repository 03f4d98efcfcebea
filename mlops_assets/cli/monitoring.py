"""The verbs `why`, `pause` and `resume` of the retrain policy."""

import argparse
import getpass
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from mlops_assets.cli.context import (
    Verbs,
    add_verb,
    chosen_models,
    load_definitions,
    open_resources,
    say,
)
from mlops_assets.cli.promotions import reason
from mlops_assets.records.retraining import Pause, Recorded
from resources.decisions import DecisionStore

_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_verbs(verbs: Verbs) -> None:
    """Declare the three verbs."""
    why, pause = partial(retraining, Retraining.why), partial(retraining, Retraining.pause)
    verb = add_verb(verbs, "why", why, "what the retrain policy decided, and why", "model")
    verb.add_argument("--last", type=_positive, default=10, metavar="N", help="default: 10")
    about = "start no training by the retrain policy for a while"
    verb = add_verb(verbs, "pause", pause, about, "model")
    verb.add_argument("--for", dest="span", type=_span, required=True, metavar="7d")
    verb.add_argument("--why", metavar="TEXT", type=reason, required=True)
    resume = partial(retraining, Retraining.resume)
    add_verb(verbs, "resume", resume, "end a pause now", "model")


def retraining(do: Callable[..., str], model: str, **arguments: Any) -> int:
    """Print what a method of `Retraining` says of a model."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "decisions") as built:
        say(do(Retraining(model, built.decisions), **arguments))
    return 0


@dataclass(frozen=True)
class Retraining:
    """The retrain policy of one model: looked at, paused and resumed."""

    model: str
    decisions: DecisionStore

    def why(self, last: int) -> str:
        """The newest decisions, one a paragraph, the newest last, and the pause in force."""
        none = (
            f"{self.model}: nothing decided yet; switch the sensor {self.model}_retraining on "
            "in the Dagster UI, under Automation"
        )
        lines = _lines(self.decisions.history(self.model, last)) or [none]
        pause = self.decisions.pause(self.model, datetime.now(UTC))
        return "\n".join([*lines, *([_said(self.model, pause)] if pause else [])])

    def pause(self, span: timedelta, why: str) -> str:
        """Start no training until `span` from now; a training that runs goes on."""
        now = datetime.now(UTC)
        pause = Pause(until=now + span, why=why, who=getpass.getuser())
        self.decisions.set_pause(self.model, pause, now)
        return _said(self.model, pause)

    def resume(self) -> str:
        """End the pause in force."""
        now = datetime.now(UTC)
        if self.decisions.pause(self.model, now) is None:
            return f"{self.model}: not paused"
        ended = Pause(until=now, why="resumed", who=getpass.getuser())
        self.decisions.set_pause(self.model, ended, now)
        return f"{self.model}: resumed"


def _said(model: str, pause: Pause) -> str:
    return f"{model}: paused until {pause.until:%Y-%m-%d %H:%M} UTC by {pause.who} ({pause.why})"


def _lines(rows: Sequence[Recorded]) -> list[str]:
    lines = []
    for row in rows:
        span = f" to {row.last_seen:%Y-%m-%d %H:%M:%S} ({row.ticks} ticks)" if row.ticks > 1 else ""
        lines.append(f"{row.time:%Y-%m-%d %H:%M:%S}{span}  {row.action} ({row.rule})")
        lines.append(f"    {row.reason}")
        if row.outcome:
            lines.append(f"    run {row.run_id}: {row.outcome}")
    return lines


def _span(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9]\d{0,3}) ?(min|h|d|w)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration like 7d, 12h, 30min or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of decisions like 10")
    return int(text)
