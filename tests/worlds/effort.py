"""How many worlds a property is tried in."""

import os

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
        phases=[Phase.reuse, Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
