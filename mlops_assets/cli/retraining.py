"""The verbs `why`, `pause` and `resume` of the retrain policy."""

import getpass
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops_assets.cli.context import (
    chosen_models,
    load_definitions,
    open_resources,
    say,
    say_facts,
)
from mlops_assets.cli.facts.records import Decisions
from mlops_assets.records.retraining import Pause, Recorded
from resources.decisions import DecisionStore


def why(model: str, last: int, *, as_json: bool) -> int:
    """Print the newest decisions, and the pause in force."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "decisions") as built:
        policy = Retraining(model, built.decisions)
        say_facts(policy.decided(last), policy.why(last), as_json=as_json)
    return 0


def pause(model: str, span: timedelta, why: str) -> int:
    """Start no training for a while, and say until when."""
    return _say(model, lambda policy: policy.pause(span, why))


def resume(model: str) -> int:
    """End a pause, and say so."""
    return _say(model, Retraining.resume)


def _say(model: str, do: "Callable[[Retraining], str]") -> int:
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "decisions") as built:
        say(do(Retraining(model, built.decisions)))
    return 0


@dataclass(frozen=True)
class Retraining:
    """The retrain policy of one model: looked at, paused and resumed."""

    model: str
    decisions: DecisionStore

    def decided(self, last: int) -> Decisions:
        """The newest decisions, and the pause in force."""
        return Decisions(
            model=self.model,
            decisions=list(self.decisions.history(self.model, last)),
            pause=self.decisions.pause(self.model, datetime.now(UTC)),
        )

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
