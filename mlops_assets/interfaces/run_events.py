"""Runs that began and ended, as `mlops dev` says them; what a run did is in `mlops logs`."""

from collections.abc import Callable
from datetime import datetime

import dagster as dg

_BEGUN = (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING)
_ENDED = {
    dg.DagsterRunStatus.SUCCESS: "succeeded",
    dg.DagsterRunStatus.FAILURE: "failed",
    dg.DagsterRunStatus.CANCELED: "was canceled",
}
_SHOWN = 8


class RunEvents:
    """What became of runs since the last look."""

    def __init__(self, instance: dg.DagsterInstance, since: datetime) -> None:
        self._instance, self._since = instance, since
        self._said = dict[str, str]()

    def tell(self, say: Callable[[str], object]) -> None:
        """Say of each run that it began, or how it ended and after how long, once."""
        changed = dg.RunsFilter(updated_after=self._since)
        for record in reversed(self._instance.get_run_records(changed)):
            self._since = max(self._since, record.update_timestamp)
            run_id, text = record.dagster_run.run_id, _said(record)
            if text and self._said.get(run_id) != text:
                self._said[run_id] = text
                say(text)


def _said(record: dg.RunRecord) -> str | None:
    run = record.dagster_run
    name = f"run {run.run_id[:_SHOWN]} of {run.job_name}"
    if run.status in _BEGUN:
        by = run.tags.get("dagster/sensor_name") or run.tags.get("dagster/schedule_name")
        return f"{name} began{f', by {by}' if by else ''}"
    if run.status not in _ENDED:
        return None
    start, end = record.start_time, record.end_time
    after = f" after {end - start:.0f} s" if start and end else ""
    model = run.job_name.rpartition("_")[0]
    failed = run.status == dg.DagsterRunStatus.FAILURE
    more = f"; `mlops logs {model} --run {run.run_id[:_SHOWN]}` says why" if failed else ""
    return f"{name} {_ENDED[run.status]}{after}{more}"
