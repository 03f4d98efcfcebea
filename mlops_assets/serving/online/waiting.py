"""An online store whose server is away: who publishes waits for it; an endpoint never does."""

import time
from collections.abc import Callable
from typing import TypeVar

from mlops_assets.errors import FeatureStoreError

AWAY_SECONDS = 60.0
"""How long it is waited for."""
_AWAY = {"ConnectionError", "TimeoutError"}
"""Of Python, and what stores call theirs, which have no common root."""
_REFUSED = {"AuthenticationError", "AuthorizationError"}
"""What of them a server says, and will say again."""
_Answer = TypeVar("_Answer")


def patiently(ask: Callable[[], _Answer]) -> _Answer:
    """What the store answers, as soon as it does; what is asked may be done twice.

    Raises:
        FeatureStoreError: Its server refuses, or has not come back.
    """
    deadline = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return ask()
        except Exception as err:
            kinds = {kind.__name__ for kind in type(err).__mro__}
            if not kinds & _AWAY:
                raise
            if kinds & _REFUSED or time.monotonic() > deadline:
                raise FeatureStoreError(
                    f"the online store does not answer: {str(err).rstrip('.')}; start its server, "
                    "or correct MLOPS_ONLINE_STORE, and run again"
                ) from err
            time.sleep(1)
