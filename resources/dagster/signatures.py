"""What Dagster asks of a function that becomes an asset, a check or an op, told once.

Its decorators inspect a function some twenty times, and each model has two dozen functions, made of
the same code: a third of the CPU that its definitions cost.
"""

import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

_KNOWN: dict[CodeType, inspect.Signature] = {}


def inspected_once(function: F) -> F:
    """The same function, with the signature that others of its code have; it may have no defaults.

    Python's `inspect` and Dagster take `__signature__` for the answer.
    """
    told: Any = function
    if told.__code__ not in _KNOWN:
        _KNOWN[told.__code__] = inspect.signature(function)
    told.__signature__ = _KNOWN[told.__code__]
    return function
