"""Train every model daily: a task is a run of a Dagster job, whose stages Dagster's UI shows."""

from datetime import timedelta

import pendulum
from airflow.sdk import DAG
from dagster_job import DagsterRunJobOperator

MODELS = ("customers", "flights")

with DAG(
    dag_id="ml_training_pipeline",
    description="From raw data to a live endpoint, in Dagster",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "mlops",
        "retries": 1,
        "retry_delay": timedelta(minutes=5),
        "execution_timeout": timedelta(hours=6),
    },
    tags=["mlops"],
):
    for model in MODELS:
        DagsterRunJobOperator(task_id=f"train_{model}", job_name=f"{model}_training")
