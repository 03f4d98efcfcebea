"""Close the MLflow runs of Dagster runs whose process was killed."""

import dagster as dg

from resources.run_outcome import settle
from resources.tracking import MLflowTracking


def build_mlflow_runs_sensor() -> dg.SensorDefinition:
    """One for all models; it imports MLflow only when there is a run to close."""

    @dg.sensor(
        name="mlflow_runs",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Ends runs whose process was killed, in Dagster and in MLflow.",
    )
    def mlflow_runs(context: dg.SensorEvaluationContext, tracking: MLflowTracking) -> dg.SkipReason:
        closed = settle(context.instance, tracking)
        said = ", ".join(f"{run_id[:8]} {status}" for run_id, status in closed.items())
        return dg.SkipReason(f"closed {said}" if closed else "no MLflow run was left open")

    return mlflow_runs
