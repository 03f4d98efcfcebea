"""The logger of `mlops run`: a line for each materialized asset and each trial, and what goes on.

It writes where the command was started, not where a step's own output goes.
"""

import logging
import time
from collections import Counter

import dagster as dg

from mlops_assets.runtime import terminal

PROGRESS = "tuning: "
"""How a message begins that a person who waits wants to see."""


class _Progress(logging.Handler):
    """Says materialization events, each with the time since its step began, and progress."""

    def __init__(self) -> None:
        super().__init__()
        self._began: dict[str | None, float] = {}
        self._partitions: Counter[str | None] = Counter()
        """By step, how many of its asset were told of."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say what the record is about, if a person wants to know."""
        meta = getattr(record, "dagster_meta", {})
        event, said = meta.get("dagster_event"), str(meta.get("orig_message"))
        if event is None:
            if said.startswith(PROGRESS):
                terminal.line(said)
        elif event.is_step_start:
            self._began[event.step_key] = time.monotonic()
            terminal.doing(str(event.step_key).replace("__", "/", 1))
        elif event.is_step_materialization and event.partition is not None:
            self._partitions[event.step_key] += 1  # of years there may be thousands
        elif event.is_step_materialization:
            self._line(event, event.asset_key.to_user_string(), "materialized")
        elif event.is_step_success and (partitions := self._partitions.pop(event.step_key, 0)):
            said = f"{partitions} partitions materialized"
            self._line(event, str(event.step_key).replace("__", "/", 1), said)

    def _line(self, event: dg.DagsterEvent, asset: str, said: str) -> None:
        took = time.monotonic() - self._began.get(event.step_key, time.monotonic())
        terminal.line(f"{asset}: {said} in {took:.1f} s")


@dg.logger(config_schema=None, description="One line per materialized asset or trial.")
def progress(context: dg.InitLoggerContext) -> logging.Logger:
    """Build the logger of one run."""
    logger = logging.Logger("progress", level=logging.DEBUG)
    logger.addHandler(_Progress())
    return logger
