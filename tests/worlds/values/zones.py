"""The zone of this process, as a stranger's machine has it."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def process_zone(zone: str) -> Generator[None]:
    """TZ as given, also for the C library, and as it was afterwards."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    time.tzset()
    try:
        yield
    finally:
        os.environ.pop("TZ")
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()
