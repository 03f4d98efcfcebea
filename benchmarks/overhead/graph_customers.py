"""`customers` from its source to a live endpoint, as the asset graph, in this process.

What `mlops run customers` and a launched run do: load the code location, then run the training job
on a Dagster instance with sqlite storage. The environment says where: MLOPS_HOME, MLOPS_DATA_ROOT,
DAGSTER_HOME, MLOPS_PORT_CUSTOMERS.

    python -m benchmarks.overhead.graph_customers
"""

import dagster as dg

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.definitions import defs
from mlops_assets.home import home


def main() -> None:
    """Materialize every asset once and leave the server running."""
    use_dagster_home(home())
    with dg.DagsterInstance.get() as instance:
        job = defs().resolve_job_def("customers_training")
        job.execute_in_process(
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


if __name__ == "__main__":
    main()
