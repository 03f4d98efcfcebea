"""How much is tried in the gate, and how much by `make thorough`."""

import os
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("MLOPS_EXAMPLES", "0"))


def worlds(few: int, *, shrink: bool = True) -> settings:
    """`few` examples, or as many as MLOPS_EXAMPLES says; no deadline, since libraries start slowly.

    Without MLOPS_EXAMPLES the examples are the same in every run, so that a test that failed
    fails again. Without `shrink` the first world that fails is shown, where each takes a second.
    """
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )


def few_in_the_gate(names: Iterable[str | int], *few: str | int) -> list[Any]:
    """Each name as a parameter; those that are not among `few` are tried by `make thorough`."""
    every = list(names)
    assert set(few) <= set(every), f"no such: {set(few) - set(every)}"
    marks = {name: () if name in few else (pytest.mark.thorough,) for name in every}
    return [pytest.param(name, marks=marks[name], id=str(name)) for name in every]
