"""The logger of `mlops run`: a line on stdout for each materialized asset and each trial."""

import logging
import sys

import dagster as dg

PROGRESS = "tuning: "
"""How a message begins that a person who waits wants to see."""


class _Progress(logging.Filter):
    """Lets materialization events pass, each turned into the asset's name, and progress."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is one of them; its message is replaced then."""
        meta = getattr(record, "dagster_meta", {})
        event, said = meta.get("dagster_event"), str(meta.get("orig_message"))
        if event is None and said.startswith(PROGRESS):
            record.msg, record.args = said, None
            return True
        if event is None or not event.is_step_materialization:
            return False
        record.msg, record.args = f"{event.asset_key.to_user_string()}: materialized", None
        return True


@dg.logger(config_schema=None, description="One line per materialized asset or trial.")
def progress(context: dg.InitLoggerContext) -> logging.Logger:
    """Build the logger of one run."""
    logger = logging.Logger("progress", level=logging.DEBUG)
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_Progress())
    logger.addHandler(handler)
    return logger
