"""The endpoint's gauges, computed when they are asked for: no dead worker leaves one behind.

They depend on the folder and its manifest alone, so every worker answers the same. What batch jobs
measure (drift, performance) stands beside them as `metrics/<name>.prom` and is passed on.
"""

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from mlops_assets.records.files import LOG_FOLDER, METRICS_FOLDER, SERVABLE_FILE
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.version.active import Active
from mlops_assets.serving.version.prediction_log import backlog

logger = logging.getLogger(__name__)


def state(endpoint: Path, active: Active) -> bytes:
    """Write the gauges of what `active` serves, then the batch metrics, as Prometheus text."""
    return generate_latest(_State(endpoint, active)) + b"".join(_batch_metrics(endpoint))


class _State(Collector):
    def __init__(self, endpoint: Path, active: Active) -> None:
        self._endpoint, self._active = endpoint, active

    def collect(self) -> Iterator[Metric]:
        manifest, servable = self._active.manifest, self._active.model.servable
        folder = Path(manifest.folder)
        disk = os.statvfs(self._endpoint)
        named = {"model_name": servable.model_name}
        version = named | {"version": str(servable.model_version)}
        built = version | {"generation": str(manifest.generation), "sha256": servable.sha256[:12]}
        age = time.time() - (folder / SERVABLE_FILE).stat().st_mtime
        yield _gauge("model_build_info", "What is served; always 1.", built, 1)
        number = servable.model_version
        yield _gauge("model_build_info_version", "The version as a number.", named, number)
        yield _gauge("model_age_seconds", "Since the version was put in place.", version, age)
        if servable.entity is not None:
            ttl = manifest.online.view.ttl.total_seconds()
            yield _gauge(
                "model_online_features_ttl_seconds", "Older ones are not served.", named, ttl
            )
        published = _features_age(manifest.online)
        if published is not None:
            yield _gauge(
                "model_online_features_age_seconds",
                "Since the online features were published; 0 in a replay of old data.",
                *(named, published),
            )
        waiting = backlog(self._endpoint / LOG_FOLDER)
        yield _gauge(
            "model_prediction_log_backlog_bytes",
            "Logged bytes that are not compacted yet.",
            *(named, waiting),
        )
        free = disk.f_bavail * disk.f_frsize
        yield _gauge("model_disk_free_bytes", "Where the prediction log is.", named, free)


def _features_age(online: OnlineFeatures) -> float | None:
    """Seconds since the newest publication; None where the store does not tell."""
    if online.view.entity is not None and online.as_of is not None:
        return 0.0
    registry = online.store.get("registry")
    path = registry.get("path") if isinstance(registry, dict) else None
    if path is None or not Path(path).is_file():
        return None
    # Every publication puts the registry in place anew.
    return time.time() - Path(path).stat().st_mtime


def _gauge(name: str, about: str, labels: dict[str, str], value: float) -> Metric:
    family = GaugeMetricFamily(name, about, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _batch_metrics(endpoint: Path) -> Iterator[bytes]:
    for path in sorted((endpoint / METRICS_FOLDER).glob("*.prom")):
        try:
            yield path.read_bytes().removesuffix(b"\n") + b"\n"
        except OSError as err:  # one file must not take the endpoint's own metrics along
            logger.warning("%s is left out of /metrics: %s", path, err)
