"""Who launched a run: the user who was logged in to the Dagster UI, as a tag of the run.

`dagster.yaml` names the coordinator. Dagster asks it in every process that launches runs; only in
the web server's is there a page that asked.
"""

from collections.abc import Mapping
from typing import Any, Self

import dagster as dg

from resources.dagster.internals import SubmitRunContext
from resources.dagster.run_limits import make_places, runs_at_once

USER_TAG = "mlops/user"


class AttributedRunCoordinator(dg.QueuedRunCoordinator):
    """Dagster's own queue; a run launched in the UI says by whom, whatever tags it came with.

    How many run at once is for the environment to say, unless `dagster.yaml` does.
    """

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> Self:
        """See `ConfigurableClass`."""
        limit = {"max_concurrent_runs": runs_at_once()}
        return super().from_config_value(inst_data, {**limit, **config_value})

    def submit_run(self, context: SubmitRunContext) -> dg.DagsterRun:
        """See `RunCoordinator`."""
        run = self.attribute(context)
        make_places(self._instance, run)
        return super().submit_run(context._replace(dagster_run=run))

    def attribute(self, context: SubmitRunContext) -> dg.DagsterRun:
        """The run, with the tag."""
        run, user = context.dagster_run, _user(context)
        if user is None or run.tags.get(USER_TAG, "") == user:
            return run
        self._instance.add_run_tags(run.run_id, {USER_TAG: user})
        return self._instance.get_run_by_id(run.run_id) or run


def launched_by(run: dg.DagsterRun) -> str:
    """Who moves something by this run, for the ledger: the user if one is known, and the run."""
    user = run.tags.get(USER_TAG)
    return f"{user}, run {run.run_id}" if user else run.run_id


def _user(context: SubmitRunContext) -> str | None:
    """Whom the guard of the UI knows, empty where nobody logs in; None where no page asked."""
    source: Any = getattr(context.workspace, "source", None)
    if source is None:
        return None
    user = source.scope.get("user")
    return user.display_name if user else ""
