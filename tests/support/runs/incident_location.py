"""A code location whose one job ends as a file says, and the sensors that tell of it."""

from collections.abc import Iterator

import dagster as dg

from mlops_assets.definitions import build_resources
from mlops_assets.home import home
from sensors.incidents import build_incident_sensors

ORDERS = "orders"
"""A line a run that is wanted, `fail` or `succeed`; in the state folder."""


class Order(dg.Config):
    """What a run is asked to do."""

    ending: str


@dg.op
def work(config: Order) -> None:
    """Fail if told to."""
    if config.ending == "fail":
        raise dg.Failure("the source is gone; bring it back")


@dg.job(tags={"mlops/model": "shop"}, executor_def=dg.in_process_executor)
def shop_training() -> None:
    """In the place of a model's."""
    work()


@dg.sensor(
    job=shop_training, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING
)
def orders() -> Iterator[dg.RunRequest]:
    """A run for each line."""
    file = home() / ORDERS
    for number, ending in enumerate(file.read_text().split() if file.exists() else []):
        config = {"ops": {"work": {"config": {"ending": ending}}}}
        yield dg.RunRequest(run_key=str(number), run_config=config)


@dg.definitions
def defs() -> dg.Definitions:
    """With the resources of every deployment."""
    resources = {name: build_resources(home())[name] for name in ("alerts", "metrics")}
    sensors = [orders, *build_incident_sensors(every_seconds=1)]
    return dg.Definitions(jobs=[shop_training], sensors=sensors, resources=resources)
