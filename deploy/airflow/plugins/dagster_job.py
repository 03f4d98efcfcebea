"""An Airflow operator that runs a Dagster job; `dagster_runs.py` beside it talks to Dagster.

Both files belong into Airflow's plugins folder: the triggerer, which does the waiting, imports from
there and not from the DAGs' folder.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from airflow.sdk import BaseHook, BaseOperator, BaseOperatorLink, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from dagster_runs import DagsterError, DagsterWebserver

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
    """Fires once: when the run has ended, or when the deadline (epoch seconds) is over before."""

    def __init__(
        self, *, conn_id: str, run_id: str, poll_interval: float, deadline: float | None
    ) -> None:
        super().__init__()
        self.conn_id, self.run_id = conn_id, run_id
        self.poll_interval, self.deadline = poll_interval, deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """How another process makes this trigger again."""
        names = ("conn_id", "run_id", "poll_interval", "deadline")
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
                status, in_vain = await asyncio.to_thread(self._status), 0
            except DagsterError as err:
                status, in_vain = "", in_vain + 1
                if in_vain > _POLLS_IN_VAIN:
                    raise
                self.log.warning("Asking again in %s s: %s", self.poll_interval, err)
            if status not in _ENDED and self.deadline and time.time() > self.deadline:
                status = _TIMED_OUT
            if status in (*_ENDED, _TIMED_OUT):
                yield TriggerEvent({"run_id": self.run_id, "status": status})
                return
            await asyncio.sleep(self.poll_interval)

    async def on_kill(self) -> None:
        """A user marked the waiting task as failed or successful, or cleared it."""
        await asyncio.to_thread(lambda: webserver(self.conn_id).cancel(self.run_id))

    def _status(self) -> str:
        status = webserver(self.conn_id).run(self.run_id).status
        self.log.info("Dagster run %s is %s", self.run_id, status)
        return status


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
    is final in Dagster, such as a blocking check that failed, is not tried again.

    Args:
        job_name: E.g. `customers_training`.
        dagster_conn_id: The Airflow Connection with the webserver's address.
        poll_interval: Seconds between two looks at the run.
    """

    template_fields = ("job_name",)
    operator_extra_links: ClassVar = (DagsterRunLink(),)

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
        server, identity = webserver(self.dagster_conn_id), _identity(context)
        run = server.newest(self.job_name, identity)
        if run is None or run.status in _WORTH_ANOTHER:
            run = server.launch(self.job_name, identity | _lineage(context))
        self.run_id, self.run_url = run.run_id, server.run_url(run.run_id)
        self.log.info("%s is Dagster run %s, %s", self.job_name, self.run_url, run.status)
        limit = self.execution_timeout
        trigger = DagsterRunTrigger(
            conn_id=self.dagster_conn_id,
            run_id=run.run_id,
            poll_interval=self.poll_interval,
            deadline=time.time() + limit.total_seconds() if limit else None,
        )
        self.defer(trigger=trigger, method_name="execute_complete")

    def execute_complete(self, context: Context, event: dict[str, str]) -> str:
        """The id of the run, which succeeded.

        Raises:
            AirflowException: It did not; with Dagster's reason and the link.
        """
        del context
        server = webserver(self.dagster_conn_id)
        self.run_id, self.run_url = event["run_id"], server.run_url(event["run_id"])
        if event["status"] == "SUCCESS":
            return self.run_id
        if event["status"] == _TIMED_OUT:
            server.cancel(self.run_id)
            said = f"canceled, since it did not end within {self.execution_timeout}"
            raise AirflowException(f"{self.job_name}: {said}. {self.run_url}")
        reason = server.reason(self.run_id)
        error = AirflowFailException if reason.final else AirflowException
        raise error(f"{self.job_name}: {event['status']}: {reason.text} {self.run_url}")

    def on_kill(self) -> None:
        """The worker is told to end while it has the task; the triggerer has an own `on_kill`."""
        if self.run_id:
            webserver(self.dagster_conn_id).cancel(self.run_id)


def _identity(context: Context) -> dict[str, str]:
    """The tags by which a retry knows its run again."""
    ti = context["ti"]
    identity = {
        "airflow/dag_id": ti.dag_id,
        "airflow/task_id": ti.task_id,
        "airflow/run_id": ti.run_id,
        "airflow/max_tries": str(ti.max_tries),  # rises when the task is cleared, not by a retry
    }
    if ti.map_index is not None and ti.map_index >= 0:
        identity["airflow/map_index"] = str(ti.map_index)
    return identity


def _lineage(context: Context) -> dict[str, str]:
    """Tags for people: where the run comes from."""
    lineage = {"airflow/url": context["ti"].log_url}
    if logical_date := context["dag_run"].logical_date:
        lineage["airflow/logical_date"] = logical_date.isoformat()
    return lineage
