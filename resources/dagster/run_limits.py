"""How many runs Dagster's queue starts beside each other: of all models, and of one.

Of one model only one, since an asset's newest value is kept and not one per run: every step is in
the pool of its model, `dagster.yaml` gives each pool one place, and a run takes those of all its
steps. So a run of several models waits for each of them.
"""

import os
import re
from collections.abc import Callable

import dagster as dg

from mlops_assets.errors import ConfigError
from resources.tracking.outcome import end_dead_runs

VARIABLE = "MLOPS_CONCURRENT_RUNS"
_FEWEST, _MOST = 2, 10
_LOOK_SECONDS = 1.0
_IN_PROGRESS = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def runs_at_once() -> int:
    """What the variable says; else half of the cores, at least two and at most ten.

    Raises:
        ConfigError: It is no number of runs.
    """
    if named := os.environ.get(VARIABLE):
        if not re.fullmatch("[1-9][0-9]{0,3}", named):
            raise ConfigError(f"{VARIABLE}={named!r} is no number of runs; write e.g. 4")
        return int(named)
    return min(max(len(os.sched_getaffinity(0)) // 2, _FEWEST), _MOST)


def make_places(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Let the pools of a run have the places that `dagster.yaml` gives to each.

    By itself the queue makes those of a pool that is new when it has already decided which runs may
    start: the first ones of a model would all start at once.
    """
    store, places = instance.event_log_storage, run.run_op_concurrency
    if not places or instance.global_op_concurrency_default_limit is None:
        return
    for pool in set(places.all_pools or ()) - store.get_concurrency_keys():
        store.initialize_concurrency_limit_to_default(pool)


def wait_for_others(
    instance: dg.DagsterInstance,
    pool: str,
    say: Callable[[dg.DagsterRun], None],
    sleep: Callable[[float], object],
) -> None:
    """Return when no run that takes a place in the pool is in progress; `say` each that is."""
    said = set()
    while running := _in_progress(instance, pool):
        if running.run_id not in said:
            said.add(running.run_id)
            say(running)
        sleep(_LOOK_SECONDS)
        end_dead_runs(instance)


def _in_progress(instance: dg.DagsterInstance, pool: str) -> dg.DagsterRun | None:
    for run in instance.get_runs(dg.RunsFilter(statuses=_IN_PROGRESS)):
        places = run.run_op_concurrency
        if places and pool in (places.all_pools or ()):
            return run
    return None
