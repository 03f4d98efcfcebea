"""An Airflow operator that runs a Dagster job: one task, the short form of `dagster_stage.py`.

`dagster_runs.py` beside it talks to Dagster, `dagster_steps.py` reads what a run tells. All of them
belong into Airflow's plugins folder: the triggerer, which does the waiting, imports from there and
not from the DAGs' folder.
"""

import asyncio
import base64
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from dagster_runs import Cursor, DagsterError, DagsterRun, DagsterWebserver
from dagster_steps import Steps, line

_ENDED = ("SUCCESS", "FAILURE", "CANCELED")
_WORTH_ANOTHER = ("FAILURE", "CANCELING", "CANCELED")
_TIMED_OUT = "TIMED_OUT"
_POLLS_IN_VAIN = 10  # a webserver that restarts must not fail a training of hours


def webserver(conn_id: str) -> DagsterWebserver:
    """The webserver that an Airflow Connection names, e.g. `https://dagster.example.com:443/prefix`.

    A login with a password becomes basic authentication, a password alone a bearer token.
    """
    conn = BaseHook.get_connection(conn_id)
    host = conn.host or ""
    url = host if "://" in host else f"{conn.conn_type}://{host}"
    url += (f":{conn.port}" if conn.port else "") + (f"/{conn.schema}" if conn.schema else "")
    headers = {}
    if conn.login:
        secret = base64.b64encode(f"{conn.login}:{conn.password or ''}".encode()).decode()
        headers["Authorization"] = f"Basic {secret}"
    elif conn.password:
        headers["Authorization"] = f"Bearer {conn.password}"
    return DagsterWebserver(url.rstrip("/"), headers)


class DagsterRunTrigger(BaseTrigger):
    """Fires once: when the assets' steps or the run have ended, or the deadline is over before.

    Until then the log of the task has what these steps tell. Without `assets` it is the whole run;
    the deadline is in epoch seconds.
    """

    def __init__(
        self,
        *,
        conn_id: str,
        run_id: str,
        poll_interval: float,
        deadline: float | None,
        assets: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.conn_id, self.run_id, self.assets = conn_id, run_id, tuple(assets)
        self.poll_interval, self.deadline = poll_interval, deadline
        self._steps, self._cursor, self._status = Steps(self.assets), Cursor(), ""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How another process makes this trigger again."""
        names = ("conn_id", "run_id", "poll_interval", "deadline", "assets")
        return "dagster_job.DagsterRunTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Ask until there is something to say.

        Raises:
            DagsterError: The webserver did not answer many times in a row.
        """
        in_vain = 0
        while True:
            try:
                # A thread, since the client is synchronous; it is busy for milliseconds a poll.
                end, in_vain = await asyncio.to_thread(self._look), 0
            except DagsterError as err:
                end, in_vain = "", in_vain + 1
                if in_vain > _POLLS_IN_VAIN:
                    raise
                self.log.warning("Asking again in %s s: %s", self.poll_interval, err)
            if not end and self.deadline and time.time() > self.deadline:
                end = _TIMED_OUT
            if end:
                yield TriggerEvent({"run_id": self.run_id, "status": end})
                return
            await asyncio.sleep(self.poll_interval)

    async def on_kill(self) -> None:
        """A user marked the waiting task as failed or successful, or cleared it."""
        await asyncio.to_thread(lambda: webserver(self.conn_id).cancel(self.run_id))

    def _look(self) -> str:
        """How the steps ended, as a status of Dagster; empty before."""
        server = webserver(self.conn_id)
        status = server.run(self.run_id).status  # first: what follows it is then complete
        for event in server.events_after(self.run_id, self._cursor):
            if self._steps.tell(event) and (said := line(event)):
                # Dagster calls DEBUG what is news here: an asset that is made, a check that passed.
                level = max(logging.INFO, getattr(logging, event["level"], logging.INFO))
                self.log.log(level, "%s", said)
        if status != self._status:
            self.log.info("Dagster run %s is %s", self.run_id, status)
            self._status = status
        if self.assets and (self._steps.done or self._steps.failed):
            return "SUCCESS" if self._steps.done else "FAILURE"
        return status if status in _ENDED else ""


class DagsterRunLink(BaseOperatorLink):
    """The run's page, at the task in Airflow's UI."""

    name = "Dagster run"

    def get_link(self, operator: "DagsterRunJobOperator", *, ti_key: Any) -> str:
        """Empty before there is a run."""
        del ti_key
        return operator.run_url


class DagsterRunJobOperator(BaseOperator):
    """Run a Dagster job and wait for its end, without a worker's slot.

    A retry waits for the run that an earlier try started, if that has not failed; clearing the task
    runs the job again. Killing the task cancels the run, and so does its `execution_timeout`. What
    is final in Dagster, such as a blocking check that failed or a run that somebody canceled there,
    is not tried again.

    Args:
        job_name: E.g. `customers_training`.
        dagster_conn_id: The Airflow Connection with the webserver's address.
        poll_interval: Seconds between two looks at the run.
    """

    template_fields = ("job_name",)
    operator_extra_links: ClassVar = (DagsterRunLink(),)
    assets: tuple[str, ...] = ()
    """Of the run, whose steps it waits for; empty: all."""

    def __init__(
        self,
        *,
        job_name: str,
        dagster_conn_id: str = "dagster_default",
        poll_interval: float = 30,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_name, self.dagster_conn_id = job_name, dagster_conn_id
        self.poll_interval = poll_interval
        self.run_id, self.run_url = "", ""

    def execute(self, context: Context) -> None:
        """Find or launch the run, and leave the waiting to the triggerer."""
        server = webserver(self.dagster_conn_id)
        run = self.find_or_launch(server, context)
        self.run_id, self.run_url = run.run_id, server.run_url(run.run_id)
        self.log.info("%s is Dagster run %s, %s", self.job_name, self.run_url, run.status)
        limit = self.execution_timeout
        trigger = DagsterRunTrigger(
            conn_id=self.dagster_conn_id,
            run_id=run.run_id,
            poll_interval=self.poll_interval,
            deadline=time.time() + limit.total_seconds() if limit else None,
            assets=self.assets,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def find_or_launch(self, server: DagsterWebserver, context: Context) -> DagsterRun:
        """The run to wait for: that of an earlier try, unless it has failed."""
        known = identity(context)
        run = server.newest(self.job_name, known)
        if run is None or run.status in _WORTH_ANOTHER:
            run = server.launch(self.job_name, known | lineage(context))
        return run

    def execute_complete(self, context: Context, event: dict[str, str]) -> str:
        """The id of the run, which succeeded.

        Raises:
            AirflowException: It did not; with Dagster's reason and the link.
        """
        del context
        server = webserver(self.dagster_conn_id)
        self.run_id, self.run_url = event["run_id"], server.run_url(event["run_id"])
        if event["status"] == _TIMED_OUT:
            server.cancel(self.run_id)
            said = f"canceled, since it did not end within {self.execution_timeout}"
            raise AirflowException(f"{self.job_name}: {said}. {self.run_url}")
        events = list(server.events(self.run_id))
        steps = Steps.of(self.assets, events)
        if event["status"] == "SUCCESS" and (steps.done or not self.assets):
            return self.run_id
        if event["status"] == "CANCELED":
            raise AirflowFailException(
                f"{self.job_name}: the run was canceled in Dagster; clear this task to run it "
                f"again from here. {self.run_url}"
            )
        reason = steps.reason(events)
        error = AirflowFailException if reason.final else AirflowException
        raise error(f"{self.job_name}: {event['status']}: {reason.text} {self.run_url}")

    def on_kill(self) -> None:
        """The worker is told to end while it has the task; the triggerer has an own `on_kill`."""
        if self.run_id:
            webserver(self.dagster_conn_id).cancel(self.run_id)


def dag_run_of(context: Context) -> dict[str, str]:
    """The tags that all runs of one DAG run have."""
    ti = context["ti"]
    tags = {"airflow/dag_id": ti.dag_id, "airflow/run_id": ti.run_id}
    if ti.map_index is not None and ti.map_index >= 0:
        tags["airflow/map_index"] = str(ti.map_index)
    return tags


def identity(context: Context) -> dict[str, str]:
    """The tags by which a retry knows its run again."""
    ti = context["ti"]
    return dag_run_of(context) | {
        "airflow/task_id": ti.task_id,
        "airflow/max_tries": str(ti.max_tries),  # rises when the task is cleared, not by a retry
    }


def lineage(context: Context) -> dict[str, str]:
    """Tags for people: where the run comes from."""
    tags = {"airflow/url": context["ti"].log_url}
    if logical_date := context["dag_run"].logical_date:
        tags["airflow/logical_date"] = logical_date.isoformat()
    return tags
