"""The same code location, whose sensors do nothing: what Dagster itself costs."""

import dagster as dg

from benchmarks.idle import models


@dg.definitions
def defs() -> dg.Definitions:
    """The assets and jobs of `models`; as many sensors, of the same names and intervals."""
    full = models.defs()
    return dg.Definitions(
        assets=full.assets,
        asset_checks=full.asset_checks,
        jobs=full.jobs,
        schedules=full.schedules,
        resources=full.resources,
        sensors=[_without_work(sensor) for sensor in full.sensors or []],
    )


def _without_work(sensor: dg.SensorDefinition) -> dg.SensorDefinition:
    @dg.sensor(name=sensor.name, minimum_interval_seconds=sensor.minimum_interval_seconds)
    def idle() -> dg.SkipReason:
        return dg.SkipReason("nothing to do")

    return idle
