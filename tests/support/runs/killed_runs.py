"""A whole `mlops run` that is killed, and the plain run after it."""

import subprocess
from contextlib import suppress

from tests.support.runs.small_checkout import MODEL, Checkout

RUN = ("mlops", "run", MODEL)
ITS_END = "its end"


def kill_and_recover(checkout: Checkout, after: float, *, empty: bool) -> tuple[str, list[str]]:
    """What the killed run had come to, and what was wrong after the plain run that followed."""
    if empty and checkout.home.exists():
        checkout.run("mlops", "stop")
        checkout.leave_home()
    checkout.new_data()
    before = checkout.ledger.head(MODEL) if checkout.home.exists() else None
    process = checkout.start(*RUN)
    with suppress(subprocess.TimeoutExpired):
        process.wait(after)
    process.kill()
    came_to = _came_to(checkout, ended=process.wait() >= 0)
    checkout.run(*RUN)
    faults, head = checkout.faults(), checkout.ledger.head(MODEL)
    if head is None or (before and head.to_version <= before.to_version):
        faults.append(f"the champion is {head}, though new data came")
    return came_to, faults


def _came_to(checkout: Checkout, *, ended: bool) -> str:
    """The last thing that the newest run told Dagster."""
    if ended:
        return ITS_END
    if not (checkout.home / "dagster" / "history").exists():
        return "nothing yet"
    with checkout.instance() as instance:
        runs = instance.get_runs(limit=1)
        events = instance.all_logs(runs[0].run_id) if runs else []
    told = [one.dagster_event for one in events if one.dagster_event]
    return f"{told[-1].event_type.value} {told[-1].step_key or ''}" if told else "no run yet"
