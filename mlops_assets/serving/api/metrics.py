"""The endpoint's Prometheus metrics, summed over its workers.

Import it only in a worker: the library decides when it is imported whether several processes share
their numbers, by the variable PROMETHEUS_MULTIPROC_DIR that BentoML sets for its workers.
"""

import os
from collections import Counter as Counts
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal, get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import ValueClass

CONTENT_TYPE = CONTENT_TYPE_LATEST
# Asked now and of the library itself: Feast sets the variable too, when it is imported later.
# No interface of it says so; `tests/unit/dependencies/test_prometheus.py` holds that this does.
_SHARED = os.environ.get("PROMETHEUS_MULTIPROC_DIR") if ValueClass._multiprocess else None
LABELS = ("model_name", "version")

Outcome = Literal["answered", "refused", "failed"]
"""Refused: wrong, not admitted, too many, too slow (4xx). Failed: the endpoint could not (5xx)."""

PREDICTIONS = Counter("model_predictions_total", "Predictions that were answered.", LABELS)
LATENCY = Histogram(
    "model_prediction_latency_seconds",
    "From the whole request read to the answer ready; requests that were answered.",
    LABELS,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

REQUESTS = Counter(
    "model_requests_total",
    "Requests for predictions by outcome, with those that the limits refused.",
    ("model_name", "outcome"),
)
REFUSED = Counter(
    "model_entities_refused_total",
    "Entities without fresh features, by reason: unknown_entity or stale_features.",
    ("model_name", "reason"),
)
UNSEEN = Counter(
    "model_unseen_categories_total",
    "Values of a feature that the training never saw, in rows that were answered all the same.",
    ("model_name", "feature"),
)
LOG_FAILURES = Counter(
    "model_prediction_log_failures_total",
    "Requests whose rows could not be logged.",
    ("model_name",),
)


def begin(model_name: str, encoded: Iterable[str]) -> None:
    """Show what did not happen yet as 0: of a series that begins with 1, no rate sees the first."""
    for outcome in get_args(Outcome):
        _of_outcome(model_name, outcome)
    LOG_FAILURES.labels(model_name)
    for feature in encoded:
        UNSEEN.labels(model_name, feature)


def observe(model_name: str, version: int, predictions: int, seconds: float) -> None:
    """Count one answered request."""
    predicted, latency = _of_version(model_name, version)
    predicted.inc(predictions)
    latency.observe(seconds)


def count(model_name: str, outcome: Outcome) -> None:
    """Count one request by how it ended."""
    _of_outcome(model_name, outcome).inc()


# Finding a series by its labels costs more than counting in it.
@lru_cache
def _of_version(model_name: str, version: int) -> tuple[Counter, Histogram]:
    labels = (model_name, str(version))
    return PREDICTIONS.labels(*labels), LATENCY.labels(*labels)


@lru_cache
def _of_outcome(model_name: str, outcome: Outcome) -> Counter:
    return REQUESTS.labels(model_name, outcome)


def count_refused(model_name: str, reasons: Iterable[str]) -> None:
    """Count entities that were not answered."""
    for reason, entities in Counts(reasons).items():
        REFUSED.labels(model_name, reason).inc(entities)


def count_unseen(model_name: str, features: Iterable[str]) -> None:
    """Count values that were new to the model, by the feature of each."""
    for feature, values in Counts(features).items():
        UNSEEN.labels(model_name, feature).inc(values)


class _OurMetrics(Collector):
    """Leaves out what the libraries count by themselves, e.g. Feast one series per worker."""

    def collect(self) -> Iterator[Metric]:
        collector = MultiProcessCollector(None, _SHARED) if _SHARED else REGISTRY
        return (family for family in collector.collect() if family.name.startswith("model_"))


def render() -> bytes:
    """Write all workers' numbers in Prometheus's text format."""
    return generate_latest(_OurMetrics())
