"""Train every model daily: four tasks in a row follow the model's one run in Dagster.

`DagsterRunJobOperator(task_id=f"train_{model}", job_name=f"{model}_training")` of `dagster_job` is
the short form, a task for each model.
"""

from datetime import timedelta
from functools import partial

import pendulum
from airflow.sdk import DAG, TaskGroup
from dagster_stage import DagsterStageOperator

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
        with TaskGroup(model):
            stage = partial(DagsterStageOperator, model=model)
            process_data = stage(task_id="process_data", stages=("raw_data", "processed_data"))
            engineer_features = stage(task_id="engineer_features", stages=("features",))
            train_model = stage(task_id="train_model", stages=("trained_model",))
            evaluate_model = stage(
                task_id="evaluate_model",
                stages=("evaluation_report", "reference_profile", "deployed_endpoint"),
            )
            process_data >> engineer_features >> train_model >> evaluate_model
