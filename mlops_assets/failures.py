"""How our errors end a step: the one place that tells permanent from transient."""

from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from mlops_assets.errors import MlopsError, TransientError

RETRIES = dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL)
"""For assets that talk to something outside; only a transient error uses it."""


@contextmanager
def reported() -> Generator[None]:
    """Turn a permanent error of ours into a failure that is not retried."""
    try:
        yield
    except TransientError:
        raise
    except MlopsError as err:
        raise dg.Failure(f"{type(err).__name__}: {err}", allow_retries=False) from err
