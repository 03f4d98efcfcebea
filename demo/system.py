"""One model's system at a moment of the past: jobs, sensor and endpoint, driven in this process.

Nothing is simulated here: the jobs are those of the definitions, the policy is asked by the
function that the sensor calls, predictions come from the live endpoint over HTTP. Only the present
is moved: the source's file, the tag `AS_OF_TAG` of each run, and the sensor's `now`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import dagster as dg
import pandas as pd

from mlops_assets.cli.backtest.verb import said
from mlops_assets.cli.failures import failed_steps
from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.errors import MlopsError
from mlops_assets.keys import Stage, asset_key
from mlops_assets.model_versions.online_features import online_features
from mlops_assets.records.backtest import BacktestReport
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.retraining import Recorded
from resources.champion.aliases import registered
from resources.champion.ledger import PromotionLedger
from resources.dagster.executors import execute_here
from resources.decisions import DecisionStore
from resources.endpoints.deployer import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.prediction_log.log import PredictionLog
from resources.tracking.tracking import MLflowTracking
from sensors.retrain_signals import AS_OF_TAG
from sensors.retraining import tick

_SETTLED = timedelta(hours=1)
"""After a training the sensor looks again, and learns what became of it."""
_ASKED_AT_ONCE = 500
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Tools(NamedTuple):
    """Those resources that the replay itself calls."""

    tracking: MLflowTracking
    ledger: PromotionLedger
    decisions: DecisionStore
    deployment: EndpointDeployer
    predictions: PredictionLog
    feature_store: FeastFeatureStore


class System:
    """The definitions of one model as of `now`, over resources that outlive it."""

    def __init__(
        self,
        settings: ModelSettings,
        resources: Mapping[str, Any],
        tools: Tools,
        instance: dg.DagsterInstance,
        now: datetime,
    ) -> None:
        """Take the same resources twice: for the definitions, and built, as `tools`."""
        self.settings, self.tools, self.instance, self.now = settings, tools, instance, now
        self._features_are_new = False
        self.definitions = dg.Definitions.merge(
            build_model_defs(settings), dg.Definitions(resources=resources)
        )

    @property
    def live_version(self) -> int:
        """The champion."""
        return self.tools.ledger.history(self.settings.name)[-1].to_version

    def registered(self, number: int) -> ModelVersion:
        """A version that was trained here.

        Raises:
            TrackingError: Somebody has deleted it.
        """
        return registered(self.settings.name, number, self.tools.tracking)

    def train_first(self) -> None:
        """From raw data to the endpoint, as `mlops run` does it.

        Raises:
            MlopsError: The gate or a step refused.
        """
        self._require(self._run("training", {"mlops/launched_by": "make demo"}))

    def watch(self) -> None:
        """Renew every report.

        Raises:
            MlopsError: A report failed.
        """
        self._require(self._run("monitoring", {"mlops/trigger": "schedule"}))

    def decide(self) -> Recorded:
        """One tick of the sensor; a training that it requests is run, and its outcome learnt."""
        for request in self._tick(self.now).run_requests or []:
            done = self._run("training", request.tags).get_asset_materialization_events()
            features = asset_key(self.settings.name, "features")
            self._features_are_new = features in [event.asset_key for event in done]
            self._tick(self.now + _SETTLED)
        first = [
            row
            for row in self.tools.decisions.history(self.settings.name, 3)
            if row.time <= self.now <= row.last_seen
        ]
        return first[-1]

    def serve_newest(self) -> None:
        """Bring the features of now into the online store and before the champion."""
        if not self._features_are_new:
            self._require(self._run("training", {}, ["features"]))
        online = online_features(self.value("features"), self.settings, self.tools.feature_store)
        self.tools.deployment.redeploy(
            self.settings.name, self.live_version, self.settings.deployment, online
        )

    def ask(self, entities: Sequence[Any]) -> int:
        """Predict for entities; how many answers came."""
        answers = 0
        for start in range(0, len(entities), _ASKED_AT_ONCE):
            part = entities[start : start + _ASKED_AT_ONCE]
            answers += len(self.tools.deployment.predict(self.settings.name, part))
        return answers

    def backtest(self) -> str:
        """What the rows of now say of training again, in words; or why they cannot."""
        result = self._run("backtest", {})
        if not result.success:
            return "\n".join(failed_steps(result.all_events))
        key = asset_key(self.settings.name, "backtest")
        report: Any = self.definitions.load_asset_value(
            key, python_type=BacktestReport, instance=self.instance
        )
        return said(report)

    def value(self, stage: Stage) -> pd.DataFrame:
        """The newest value of an asset that is a frame."""
        key = asset_key(self.settings.name, stage)
        frame: Any = self.definitions.load_asset_value(
            key, python_type=pd.DataFrame, instance=self.instance
        )
        return frame

    def _tick(self, now: datetime) -> dg.SensorResult:
        result = tick(self.instance, self.settings, self.tools.decisions, now)
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        return result

    def _run(
        self, job: str, tags: Mapping[str, str], stages: Sequence[Stage] | None = None
    ) -> dg.JobExecutionResult:
        name = self.settings.name
        return execute_here(
            self.definitions.resolve_job_def(f"{name}_{job}"),
            self.instance,
            (self.definitions.resources or {})["tracking"],
            assets=[asset_key(name, stage) for stage in stages] if stages else None,
            tags={AS_OF_TAG: self.now.isoformat(), **tags},
            run_config=_QUIET,
        )

    def _require(self, result: dg.JobExecutionResult) -> None:
        for event in result.filter_events(lambda event: event.is_step_failure):
            failure = event.step_failure_data
            said = failure.error.to_string() if failure.error else "failed"
            raise MlopsError(f"{self.settings.name}, {self.now:%Y-%m}, {event.step_key}: {said}")
