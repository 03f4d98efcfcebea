"""The logger of `mlops run`: one line on stdout when an asset is materialized, nothing else."""

import logging
import sys

import dagster as dg


class _Materializations(logging.Filter):
    """Lets the materialization events of Dagster pass, and turns each into the asset's name."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is one; its message is replaced then."""
        event = getattr(record, "dagster_meta", {}).get("dagster_event")
        if event is None or not event.is_step_materialization:
            return False
        record.msg, record.args = f"{event.asset_key.to_user_string()}: materialized", None
        return True


@dg.logger(config_schema=None, description="One line per materialized asset.")
def progress(context: dg.InitLoggerContext) -> logging.Logger:
    """Build the logger of one run."""
    logger = logging.Logger("progress", level=logging.DEBUG)
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_Materializations())
    logger.addHandler(handler)
    return logger
