"""What tests that fit many small models share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """On a busy machine the threads of a tiny fit wait for each other: minutes for seconds."""
    import lightgbm  # noqa: F401  threads can only be limited once they are loaded
    import sklearn.ensemble  # noqa: F401
    import xgboost  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
