"""The logger of `mlops run`: a line for each materialized asset and each trial, and what goes on.

It writes where the command was started, not where a step's own output goes.
"""

import logging
import time

import dagster as dg

from mlops_assets.runtime import terminal

PROGRESS = "tuning: "
"""How a message begins that a person who waits wants to see."""


class _Progress(logging.Handler):
    """Says materialization events, each with the time since its step began, and progress."""

    def __init__(self) -> None:
        super().__init__()
        self._began: dict[str | None, float] = {}

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
        elif event.is_step_materialization:
            took = time.monotonic() - self._began.get(event.step_key, time.monotonic())
            terminal.line(f"{event.asset_key.to_user_string()}: materialized in {took:.1f} s")


@dg.logger(config_schema=None, description="One line per materialized asset or trial.")
def progress(context: dg.InitLoggerContext) -> logging.Logger:
    """Build the logger of one run."""
    logger = logging.Logger("progress", level=logging.DEBUG)
    logger.addHandler(_Progress())
    return logger
