"""The months of one model, one after another: watch, decide, train, serve, ask."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from demo.measure import answered, measured
from demo.story import Month, Story
from demo.system import System, Tools
from demo.worlds import World, changes_text
from mlops_assets.cli.context import say


def replay(world: World, resources: Mapping[str, Any], rows: int, months: int | None) -> Story:
    """Run the months of a world; its endpoint is ended in any case.

    Args:
        world: The model's data and settings.
        resources: Of the definitions.
        rows: Predictions asked for in each month.
        months: How many are asked; None: all.

    Raises:
        MlopsError: The first version was refused, or something failed that is no refusal.
    """
    started = time.process_time()
    with (
        dg.DagsterInstance.get() as instance,
        dg.build_resources({role: resources[role] for role in Tools._fields}, instance) as built,
    ):
        tools = Tools(*(getattr(built, role) for role in Tools._fields))

        def at(now: datetime) -> System:
            world.write(now)
            return System(world.settings(now), resources, tools, instance, now)

        moments = world.months()[: None if months is None else months + 1]
        try:
            found = [begin(at(moments[0]), world, rows)]
            for now in moments[1:]:
                found.append(go_on(at(now), world, rows if now < moments[-1] else 0))
                say(f"{world.name} {told(found[-1])}")
            system = at(moments[-1])
            log = answered(system)
            return Story(
                model=world.name,
                description=system.settings.description,
                months=tuple(measured(system, found, log)),
                logged=len(log),
                threshold=system.settings.monitoring.drift.threshold,
                ignored=system.settings.monitoring.drift.ignore,
                changes=changes_text(world.name),
                backtest=system.backtest(),
                cpu_seconds=time.process_time() - started,
            )
        finally:
            tools.deployment.stop(world.name)


def begin(system: System, world: World, rows: int) -> Month:
    """Train the first version by hand, and ask it."""
    system.train_first()
    say(f"{world.name} {system.now:%Y-%m}: version 1 is trained and live")
    asked = system.ask(world.asked(system.now, rows))
    return Month(now=system.now, decision=None, version=system.live_version, acknowledged=asked)


def go_on(system: System, world: World, rows: int) -> Month:
    """Look back on the month before, decide, and ask what answers from now on."""
    system.watch()
    decision = system.decide()
    asked = 0
    if rows:
        system.serve_newest()
        asked = system.ask(world.asked(system.now, rows))
    return Month(now=system.now, decision=decision, version=system.live_version, acknowledged=asked)


def told(month: Month) -> str:
    """A line for who waits."""
    decision = month.decision
    said = (
        f"{decision.action} ({decision.rule}): {decision.reason}" if decision else "first version"
    )
    outcome = f" -> {decision.outcome}" if decision and decision.outcome else ""
    return f"{month.now:%Y-%m}: version {month.version} | {said}{outcome}"
