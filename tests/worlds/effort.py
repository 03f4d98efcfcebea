"""How many worlds a property is tried in."""

import os

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("MLOPS_EXAMPLES", "0"))


def worlds(few: int) -> settings:
    """`few` examples, or as many as MLOPS_EXAMPLES says; no deadline, since libraries start slowly.

    Without MLOPS_EXAMPLES the examples are the same in every run, so that a test that failed
    fails again.
    """
    return settings(
        max_examples=EXAMPLES or few,
        derandomize=not EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
