"""dagster-mlflow's own resource, for teams that already log through it; off by default.

`MLOPS_DAGSTER_MLFLOW=1` adds it as the resource `mlflow`. Its limits, which is why the pipeline
itself uses `resources.tracking.tracking`: a run that is launched without the job hook
`end_mlflow_on_run_finished` (every ad-hoc materialization) stays RUNNING in MLflow; with several
processes its status is whatever the last step left; a second Dagster run in one process logs into
the first one's MLflow run; it knows no registry.
"""

from collections.abc import Callable, Generator, Mapping
from typing import Any

import dagster as dg


def build_dagster_mlflow(
    tracking_uri: str, experiment: str, tags: Mapping[str, str] | None = None
) -> dg.ResourceDefinition:
    """The `mlflow_tracking` resource, imported when it is first used (7.7 CPU s)."""

    @dg.resource(description="dagster-mlflow's `mlflow_tracking`, configured by this project.")
    def mlflow(context: dg.InitResourceContext) -> Generator[Any]:
        from dagster_mlflow import mlflow_tracking

        start: Callable[..., Any] = mlflow_tracking.resource_fn
        config = {
            "experiment_name": experiment,
            "mlflow_tracking_uri": tracking_uri,
            "env": {},
            "extra_tags": dict(tags or {}),
        }
        yield from start(context.replace_config(config))

    return mlflow
