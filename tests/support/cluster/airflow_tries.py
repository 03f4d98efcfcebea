"""DAGs that go wrong, and a `main` that runs these and the shipped one; read by Airflow, not by us.

`test_airflow.py` puts this file into the DAGs' folder and starts it in Airflow's environment.
"""

import asyncio
import json
import os
import sys
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pendulum
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import clear_task_instances
from airflow.sdk import DAG, get_current_context
from airflow.sdk.definitions.dag import _run_task
from airflow.settings import Session
from airflow.utils.state import DagRunState, TaskInstanceState
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


def said_by(dag_id: str) -> Any:
    """A callback that says how a task failed."""
    return lambda context: say(
        dag=dag_id,
        task=context["ti"].task_id,
        exception=type(context["exception"]).__name__,
        said=str(context["exception"]),
        tries=context["ti"].try_number,
    )


def wrong(dag_id: str, operator: type[DagsterRunJobOperator], **arguments: Any) -> None:
    with DAG(dag_id, schedule=None, catchup=False):
        operator(
            task_id="train",
            on_failure_callback=said_by(dag_id),
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


def canceled(run_id: str, task: DagsterRunJobOperator) -> dict[str, str]:
    """What a task makes of a run that somebody canceled in Dagster while it waited."""
    try:
        task.execute_complete({}, {"run_id": run_id, "status": "CANCELED"})
    except Exception as err:
        return {"exception": type(err).__name__, "said": str(err)}
    return {"said": "nothing"}


class PatientTrigger(DagsterRunTrigger):
    """Counts how often it asked."""

    asked = 0

    def _look(self) -> str:
        self.asked += 1
        return super()._look()


async def away() -> dict[str, Any]:
    """A webserver that goes away while a task waits for its run."""
    trigger = PatientTrigger(conn_id="nowhere", run_id="r1", poll_interval=0, deadline=None)
    try:
        event = (await anext(trigger.run())).payload
    except DagsterError as err:
        return {"said": str(err), "asked": trigger.asked}
    return {"said": f"an event, {event}", "asked": trigger.asked}


def cleared(dag: DAG, run: DagRun, tasks: Collection[str]) -> None:
    """What a user's click does to tasks of a run, and the run after it, as `dag.test` runs one."""
    with Session() as session:
        run = session.get_one(DagRun, run.id)
        chosen = [ti for ti in run.get_task_instances(session=session) if ti.task_id in tasks]
        clear_task_instances(chosen, session=session)
        session.commit()
        run.dag = DBDagBag().get_dag_for_run(dag_run=run, session=session)
        run.set_state(DagRunState.RUNNING)
        while run.state == DagRunState.RUNNING:
            session.expire_all()
            ready, _ = run.update_state(session=session)
            for ti in ready:
                ti.try_number += 1
                ti.state = TaskInstanceState.SCHEDULED
            session.commit()
            for ti in ready:
                _run_task(ti=ti, task=dag.task_dict[ti.task_id], run_triggerer=True)


def states(run: DagRun) -> dict[str, str]:
    with Session() as session:
        found = session.get_one(DagRun, run.id).get_task_instances(session=session)
        return {ti.task_id: str(ti.state) for ti in found}


def as_shipped(shipped: DAG) -> DagRun:
    """The shipped DAG as it is."""
    run = shipped.test(logical_date=DAY)
    links = [
        ti.xcom_pull(key="_link_DagsterRunLink", task_ids=ti.task_id)
        for ti in run.get_task_instances()
        if ti.task_id.startswith("loans.")
    ]
    say(dag="shipped", states=states(run), run_id=run.run_id, links=links)
    return run


def cleared_and_refused(shipped: DAG, run: DagRun, source: Path) -> None:
    """The shipped DAG cleared in part, and with data that teach nothing."""
    again = ("engineer_features", "train_model", "evaluate_model")
    cleared(shipped, run, [f"loans.{task}" for task in again])
    say(dag="cleared", states=states(run))
    cleared(shipped, run, ["loans.evaluate_model"])
    say(dag="cleared again", states=states(run))
    lines = source.read_text(encoding="utf-8").splitlines()
    coin = [f"{line[:-1]}{number % 2}" for number, line in enumerate(lines[1:])]
    source.write_text("\n".join([lines[0], *coin, ""]), encoding="utf-8")
    refused = shipped.test(logical_date=DAY.add(days=1))
    say(dag="refused", states=states(refused), run_id=refused.run_id)


def main(source: Path, *, all_of_them: bool) -> None:
    """The shipped DAG and what never reaches Dagster; or all."""
    bag = DagBag(Path(os.environ["AIRFLOW_HOME"]) / "dags")
    shipped = bag.dags["ml_training_pipeline"]
    for task in shipped.tasks:
        task.poll_interval, task.retry_delay = 1, timedelta(0)
        task.on_failure_callback = [said_by(f"shipped {task.task_id}")]
    say(dag="parsed", errors=bag.import_errors, warnings=bag.captured_warnings)
    run = as_shipped(shipped)
    for dag_id in ("unreachable", "unknown"):
        bag.dags[dag_id].test(logical_date=DAY)
    if all_of_them:
        cleared_and_refused(shipped, run, source)
        ended_early(bag, source)


def ended_early(bag: DagBag, source: Path) -> None:
    """What is stopped, and what fails when the data are gone."""
    # The next two wait in Dagster's queue behind this one: to cancel a run that has started takes
    # as long as its step does not heed the signal.
    webserver("dagster_default").launch("loans_training", {})
    bag.dags["late"].test(logical_date=DAY)
    ended = asyncio.run(killed())
    say(dag="killed", **ended)
    say(dag="canceled", **canceled(ended["run_id"], bag.dags["lost"].get_task("train")))
    source.unlink()
    bag.dags["lost"].test(logical_date=DAY)
    say(dag="away", **asyncio.run(away()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), all_of_them="all" in sys.argv[2:])
