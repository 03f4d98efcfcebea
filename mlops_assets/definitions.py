"""Composition root: the one module that knows every other, and the environment."""

import gc

# What is loaded stays; the collector need not look at it again and again: 0.2 CPU s of 1.7.
gc.disable()

from mlops_assets.home import (
    DATABASE,
    bucket,
    database,
    home,
    interface_url,
    project,
    status_page_file,
)

project()  # first: where a package of the user's hides one of ours, the next lines would not say so

import logging
import os
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.assets.status import build_status_page
from mlops_assets.components.loading import fault_lines, load_models, models_package
from mlops_assets.components.settings import loaded_models
from mlops_assets.errors import ConfigError, FaultyModelError
from mlops_assets.progress import progress
from resources.alerts import Alerts
from resources.champion.ledger import PromotionLedger
from resources.dagster.dagster_storage import read_migrations_once
from resources.dagster.executors import followed, pods_of_steps
from resources.dagster.io import ParquetStorage
from resources.datasets.partitions import PartitionFiles
from resources.datasets.versions import DvcDatasets
from resources.decisions import DecisionStore
from resources.deployment import EndpointTargets
from resources.endpoints.bento import BentoBuilder
from resources.endpoints.metrics import EndpointMetrics
from resources.engine import FeatureEngine
from resources.feature_store import FeastFeatureStore
from resources.kept_versions import budget_bytes
from resources.prediction_log.log import PredictionLog
from resources.reports import EvidentlyReports
from resources.tracking.dagster_mlflow import build_dagster_mlflow
from resources.tracking.tracking import MLflowTracking
from sensors.incidents import build_incident_sensors
from sensors.mlflow_runs import build_mlflow_runs_sensor

gc.enable()

_logger = logging.getLogger(__name__)

_EXECUTORS = {
    "in_process": dg.in_process_executor,
    "spawn": dg.multiprocess_executor,
    "forkserver": dg.multiprocess_executor.configured(
        {"start_method": {"forkserver": {"preload_modules": ["mlops_assets.definitions"]}}}
    ),
}


def build_resources(state: Path) -> dict[str, Any]:
    """The resources of this environment; what no variable says lives under `state`."""
    shared = _variable(DATABASE, database())
    ledger = _variable("MLOPS_LEDGER", shared or state / "ledger.db")
    decisions = _variable("MLOPS_DECISIONS", shared or state / "decisions.db")
    local_store = f"sqlite:///{state / 'mlflow.db'}"
    endpoints = _variable("MLOPS_ENDPOINTS", state / "endpoints")
    spill, kept = state / "cache" / "spill", _variable("MLOPS_PARTITIONS", state / "partitions")
    os.environ.setdefault("MPLCONFIGDIR", str(state / "cache" / "matplotlib"))  # else ~/.cache
    resources: dict[str, Any] = {
        "io_manager": ParquetStorage(
            root=_variable("MLOPS_STORAGE", state / "assets"),
            bucket=bucket("assets"),
            keep_bytes=budget_bytes(),
        ),
        "datasets": DvcDatasets(
            root=_variable("MLOPS_DATA_ROOT", state / "dvc" / "project"),
            cache=_variable("MLOPS_DVC_CACHE", state / "dvc" / "cache"),
            quarantine=_variable("MLOPS_QUARANTINE", state / "quarantine"),
            pinned_now=_variable("MLOPS_PINNED_NOW", ""),
            bucket=bucket("dvc"),
        ),
        "partitions": PartitionFiles(root=kept),
        "engine": FeatureEngine(
            url=_variable("MLOPS_ENGINE", "arrays"), spill=str(spill), kept=kept
        ),
        "feature_store": FeastFeatureStore(
            root=_variable("MLOPS_FEAST", state / "feast"),
            bucket=bucket("feast"),
            database=shared,
            online_store=_variable("MLOPS_ONLINE_STORE", ""),
        ),
        "tracking": MLflowTracking(
            tracking_uri=_variable("MLFLOW_TRACKING_URI", local_store),
            database="" if os.environ.get("MLFLOW_TRACKING_URI") else shared,
            artifacts=_variable("MLFLOW_ARTIFACTS", bucket("mlflow") or state / "mlflow"),
            dagster_url=_variable("MLOPS_DAGSTER_URL", interface_url("MLOPS_PORT_DAGSTER")),
            mlflow_url=interface_url("MLOPS_PORT_MLFLOW"),
        ),
        "ledger": PromotionLedger(database=ledger),
        "decisions": DecisionStore(database=decisions),
        "deployment": EndpointTargets(root=endpoints, shared=_variable("MLOPS_SHARED", state)),
        "bentos": BentoBuilder(
            endpoints=endpoints, root=_variable("MLOPS_BENTOS", state / "bentoml")
        ),
        "predictions": PredictionLog(
            endpoints=endpoints,
            root=_variable("MLOPS_PREDICTIONS", state / "predictions"),
            bucket=bucket("predictions"),
        ),
        "reports": EvidentlyReports(),
        "alerts": Alerts(
            webhook=_variable("MLOPS_ALERT_WEBHOOK", ""),
            smtp=_variable("MLOPS_ALERT_SMTP", ""),
            email_to=_variable("MLOPS_ALERT_EMAIL", ""),
            email_from=_variable("MLOPS_ALERT_SENDER", ""),
        ),
        "metrics": EndpointMetrics(root=endpoints),
    }
    if os.environ.get("MLOPS_DAGSTER_MLFLOW") == "1":
        uri = os.environ.get("MLFLOW_TRACKING_URI") or local_store
        resources["mlflow"] = build_dagster_mlflow(uri, experiment="dagster_mlflow")
    return resources


@dg.definitions
def defs() -> dg.Definitions:
    """All sound models under `defs/`, for Dagster; the log names every other file and its faults.

    Raises:
        FaultyModelError: A file has faults, and Dagster loads only to find them: `dg check defs`.
    """
    definitions = build_definitions()
    lines = tuple(fault_lines(definitions))
    if lines and os.environ.get("DAGSTER_IS_DEFS_VALIDATION_CLI"):
        raise FaultyModelError("\n".join(lines))
    _log_once(lines)
    return definitions


def build_definitions() -> dg.Definitions:
    """All sound models under `defs/`, wired to the resources of this environment."""
    read_migrations_once()
    resources, models = build_resources(home()), _models()
    executor = chosen_executor(models)
    return dg.Definitions.merge(
        models,
        build_status_page([*loaded_models(models).values()], status_page_file()),
        dg.Definitions(
            resources=resources,
            sensors=[build_mlflow_runs_sensor(), *build_incident_sensors()],
            loggers={"console": dg.colored_console_logger, "progress": progress},
            executor=followed(executor, resources["tracking"]),
        ),
    )


def chosen_executor(models: dg.Definitions | None = None) -> dg.ExecutorDefinition:
    """The executor that MLOPS_EXECUTOR names; in a cluster, told what the models' assets need."""
    name = os.environ.get("MLOPS_EXECUTOR", "in_process")
    if name == "k8s":
        from dagster_k8s import k8s_job_executor  # 1.5-5 CPU s, for those who are in a cluster

        from resources.cluster.runs.steps import in_pods

        # No owner references: the pods of steps go on when the cluster ends that of their run.
        pods = pods_of_steps(loaded_models(models).values()) if models else {}
        configured = {
            # Less than a run's pod has, which with another executor moves endpoints itself.
            "step_k8s_config": {"pod_spec_config": {"termination_grace_period_seconds": 30}},
            "per_step_k8s_config": pods,
        }
        return in_pods(k8s_job_executor.configured(configured))
    if name not in _EXECUTORS:
        known = [*_EXECUTORS, "k8s"]
        raise ConfigError(f"MLOPS_EXECUTOR={name!r} is none of {known}; correct it")
    return _EXECUTORS[name]


@cache  # a `dagster asset materialize` asks six times, 0.3 CPU s each
def _models() -> dg.Definitions:
    gc.disable()  # as above
    try:
        return load_models(models_package())
    finally:
        gc.freeze()  # else Dagster's next steps look at all of it a dozen times: 5 ms a model
        gc.enable()


@cache
def _log_once(lines: tuple[str, ...]) -> None:
    for line in lines:
        _logger.error("%s", line)


def _variable(name: str, default: Path | str) -> str:
    """A reference to the variable where it is set, so that its value stays out of the UI."""
    if os.environ.get(name):
        return dg.EnvVar(name)
    return default if isinstance(default, str) else str(default)
