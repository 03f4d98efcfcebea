"""Figures of batch work for Prometheus, served by the endpoint of the model they are about.

No push gateway and no second port: a file stands beside the deployment, and the endpoint appends it
to its own `/metrics`, whichever worker answers. It outlives restarts, so every report comes with
the time of its `last_run`, by which an alert tells old figures from calm ones.

Requests are counted by the workers themselves (`mlops_assets.serving.api.metrics`).
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import dagster as dg
from pydantic import Field

from mlops_assets.blocks.base import Record
from mlops_assets.records.files import METRICS_FOLDER
from mlops_assets.runtime.atomic import write_atomically


class Gauge(Record):
    """One metric family: values by their labels."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    values: dict[tuple[str, ...], float] = Field(
        default_factory=dict, description="Label values, in the order of `labels` -> value."
    )


def last_run(report: str, now: datetime) -> Gauge:
    """When a report was last made: `drift`, `performance` or `skew`."""
    return Gauge(
        name=f"model_{report}_last_run_timestamp_seconds",
        help=f"When {report} was last looked at.",
        values={(): now.timestamp()},
    )


class EndpointMetrics(dg.ConfigurableResource):
    """Writes `<root>/<model>/metrics/<name>.prom`.

    >>> psi = Gauge(name="model_feature_drift", help="PSI.", values={(): 0.31})
    >>> EndpointMetrics(root="endpoints").write("customers", "drift", [psi]).name
    'drift.prom'
    """

    root: str = Field(description="Folder of the endpoints, one folder for each model.")

    def write(self, model: str, name: str, gauges: Sequence[Gauge]) -> Path:
        """Replace what was written under this name; readers see the old file or the new one.

        Every family gets the label `model_name` in front of its own.
        """
        file = Path(self.root, model, METRICS_FOLDER, f"{name}.prom")
        text = _rendered(model, gauges)
        write_atomically(file, lambda temporary: temporary.write_bytes(text))
        return file


def _rendered(model: str, gauges: Sequence[Gauge]) -> bytes:
    """In Prometheus's text format."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client import Gauge as Family

    registry = CollectorRegistry()
    for gauge in gauges:
        family = Family(gauge.name, gauge.help, ("model_name", *gauge.labels), registry=registry)
        for labels, value in gauge.values.items():
            family.labels(model, *labels).set(value)
    return generate_latest(registry)
