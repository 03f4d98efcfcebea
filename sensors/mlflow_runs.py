"""Close the MLflow runs of Dagster runs whose process was killed."""

import dagster as dg

from resources.tracking.outcome import end_dead_runs, settle
from resources.tracking.tracking import MLflowTracking


def build_mlflow_runs_sensor() -> dg.SensorDefinition:
    """One for all models; it imports MLflow only when there is a run to close."""

    @dg.sensor(
        name="mlflow_runs",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process was killed, in Dagster and in MLflow. Leave it on.",
    )
    def mlflow_runs(context: dg.SensorEvaluationContext, tracking: MLflowTracking) -> dg.SkipReason:
        dead = end_dead_runs(context.instance)
        closed = settle(context.instance, tracking.runs)
        said = [f"closed {run_id[:8]} {status}" for run_id, status in closed.items()]
        said += [f"ended {run.run_id[:8]}" for run in dead if run.run_id not in closed]
        return dg.SkipReason(", ".join(said) or "no MLflow run was left open")

    return mlflow_runs
