"""What an endpoint has answered since it started, read off its Prometheus metrics."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


class Traffic(NamedTuple):
    """Requests for predictions by how they ended, over all versions and workers."""

    answered: int
    refused: int
    failed: int
    median_ms: float | None
    """Upper bound of the bucket that holds it; None before the first answer."""
    p99_ms: float | None

    @property
    def asked(self) -> int:
        """All of them."""
        return self.answered + self.refused + self.failed


def read_traffic(text: str) -> Traffic:
    """The counts and two quantiles of a scrape; an endpoint that was never asked has zeros."""
    families = {family.name: family for family in text_string_to_metric_families(text)}
    outcomes = {"answered": 0, "refused": 0, "failed": 0}
    for labels, value in _samples(families, "model_requests", "_total"):
        outcomes[labels["outcome"]] += int(value)
    buckets: dict[float, float] = {}
    for labels, value in _samples(families, "model_prediction_latency_seconds", "_bucket"):
        bound = float(labels["le"])
        buckets[bound] = buckets.get(bound, 0.0) + value
    return Traffic(
        **outcomes, median_ms=_quantile_ms(buckets, 0.5), p99_ms=_quantile_ms(buckets, 0.99)
    )


def _samples(
    families: Mapping[str, Metric], name: str, suffix: str
) -> Iterable[tuple[Mapping[str, str], float]]:
    family = families.get(name)
    for sample in family.samples if family else ():
        if sample.name == name + suffix:
            yield sample.labels, sample.value


def _quantile_ms(buckets: Mapping[float, float], share: float) -> float | None:
    """The least bound below which at least that share lies; infinite beyond the last one."""
    total = buckets.get(math.inf, 0.0)
    if not total:
        return None
    return 1_000 * min(bound for bound, below in buckets.items() if below >= share * total)
