"""DAGs that go wrong, and a `main` that runs these and the shipped one; read by Airflow, not by us.

`test_airflow.py` puts this file into the DAGs' folder and starts it in Airflow's environment.
"""

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, get_current_context
from dagster_job import DagsterRunJobOperator, DagsterRunTrigger, webserver
from dagster_runs import DagsterError

DAY = pendulum.datetime(2026, 1, 2, tz="UTC")


def say(**what: Any) -> None:
    sys.stdout.write(f"TRY {json.dumps(what)}\n")


class LostWorker(DagsterRunJobOperator):
    """Its first try ends when it has just launched the run, as with a machine that is gone."""

    def defer(self, **kwargs: Any) -> None:
        if get_current_context()["ti"].try_number == 1:
            raise RuntimeError("the worker is gone")
        super().defer(**kwargs)


def wrong(dag_id: str, operator: type[DagsterRunJobOperator], **arguments: Any) -> None:
    with DAG(dag_id, schedule=None, catchup=False):
        operator(
            task_id="train",
            on_failure_callback=lambda context: say(
                dag=dag_id,
                exception=type(context["exception"]).__name__,
                said=str(context["exception"]),
                tries=context["ti"].try_number,
            ),
            **({"job_name": "loans_training", "poll_interval": 0.5} | arguments),
        )


wrong("lost", LostWorker, retries=3, retry_delay=timedelta(0))
wrong("late", DagsterRunJobOperator, execution_timeout=timedelta(seconds=5))
wrong("unknown", DagsterRunJobOperator, job_name="lones_training")
wrong("unreachable", DagsterRunJobOperator, dagster_conn_id="nowhere")


async def killed() -> dict[str, str]:
    """What the triggerer does when a user ends a task that waits."""
    run = webserver("dagster_default").launch("loans_training", {"airflow/dag_id": "killed"})
    trigger = DagsterRunTrigger(
        conn_id="dagster_default", run_id=run.run_id, poll_interval=0.5, deadline=None
    )
    await trigger.on_kill()
    return (await anext(trigger.run())).payload


class PatientTrigger(DagsterRunTrigger):
    """Counts how often it asked."""

    asked = 0

    def _status(self) -> str:
        self.asked += 1
        return super()._status()


async def away() -> dict[str, Any]:
    """A webserver that goes away while a task waits for its run."""
    trigger = PatientTrigger(conn_id="nowhere", run_id="r1", poll_interval=0, deadline=None)
    try:
        event = (await anext(trigger.run())).payload
    except DagsterError as err:
        return {"said": str(err), "asked": trigger.asked}
    return {"said": f"an event, {event}", "asked": trigger.asked}


def main(source: Path) -> None:
    """The shipped DAG and one that is stopped early; those that fail, when the data are gone."""
    bag = DagBag(Path(os.environ["AIRFLOW_HOME"]) / "dags")
    shipped = bag.dags["ml_training_pipeline"]
    (task,) = shipped.tasks
    task.poll_interval = 1
    say(dag="parsed", errors=bag.import_errors, warnings=bag.captured_warnings)
    run = shipped.test(logical_date=DAY)
    (done,) = run.get_task_instances()
    link = done.xcom_pull(key="_link_DagsterRunLink", task_ids=task.task_id)
    say(dag="shipped", state=run.state, run_id=run.run_id, link=link)
    # The next two wait in Dagster's queue behind this one: to cancel a run that has started takes
    # as long as its step does not heed the signal.
    webserver("dagster_default").launch("loans_training", {})
    bag.dags["late"].test(logical_date=DAY)
    say(dag="killed", **asyncio.run(killed()))
    source.unlink()
    for dag_id in ("unreachable", "unknown", "lost"):
        bag.dags[dag_id].test(logical_date=DAY)
    say(dag="away", **asyncio.run(away()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
