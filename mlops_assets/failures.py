"""How a step ends that cannot go on: the one place that tells what is tried again."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

import dagster as dg

from mlops_assets.errors import MlopsError, TransientError
from mlops_assets.redaction import forget_secrets


class _Uninterrupted(dg.RetryPolicy):
    """Does not try an interrupted step again.

    Dagster asks a policy for the delay whatever ended the step, also when that was a cancellation.
    This one has no answer then, and the interrupt ends the run as it does without a policy.
    """

    def calculate_delay(self, attempt_num: int) -> float:
        cause = sys.exception()
        if isinstance(cause, KeyboardInterrupt | dg.DagsterExecutionInterruptedError):
            raise cause
        return super().calculate_delay(attempt_num)


RETRIES = _Uninterrupted(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL)
"""For assets that talk to something outside; no permanent error of ours uses it."""


@contextmanager
def reported() -> Generator[None]:
    """Turn a permanent error of ours into a failure that is not retried; none tells a secret."""
    try:
        yield
    except Exception as err:
        forget_secrets(err)  # also what it was raised from is kept in the event log
        if isinstance(err, MlopsError) and not isinstance(err, TransientError):
            raise dg.Failure(f"{type(err).__name__}: {err}", allow_retries=False) from err
        raise
