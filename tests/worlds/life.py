"""One model's life on fakes, under a clock that is set: what people, machines and data do to it.

The graph, the sensors, the policy, the ledger and the jobs are the product's own.
"""

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import dagster as dg
import numpy as np
import pandas as pd
import time_machine

from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.sources import source_fingerprint
from mlops_assets.records.monitoring import DriftSummary, PerformanceSummary, Window
from mlops_assets.records.promotion import Promotion
from resources.tracking.outcome import PROCESS, settle
from sensors.endpoint_health import build_endpoint_health_sensor
from sensors.retraining import tick
from tests.support.loans import fake_resources, loans_yaml
from tests.support.runs.pipeline_runs import STAGES, build

Quality = Literal["good", "noise", "broken"]
Fate = Literal["ends", "killed", "canceled", "never_started"]

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = 120
_DEAD = f"{socket.gethostname()}/{2**22 + 1}@1"
"""A process of this host that never was."""


class Life:
    """A model, its source, its instance and the runs that became of its sensors' requests."""

    def __init__(self, folder: Path, policy: dict[str, Any], clock: time_machine.Traveller):
        self.source, self.clock, self.windows = folder / "loans.csv", clock, 0
        self.deliveries = 0
        yaml = loans_yaml(self.source)
        # A new version need not beat the old one, but the prior: two of three deliveries do.
        yaml["evaluation"] = {"primary": "log_loss", "gate": {"against_champion": "off"}}
        yaml["monitoring"] = {"retrain": {"on_drift": "train", **policy}}
        self.settings = ModelSettings.model_validate(yaml)
        self.policy = self.settings.monitoring.retrain
        self.resources = fake_resources(folder / "state")
        self.instance = dg.DagsterInstance.ephemeral()
        self.definitions = build(self.settings, self.resources)
        self.health_cursor: str | None = None

    @property
    def now(self) -> datetime:
        """By the clock that all of the product reads."""
        return datetime.now(UTC)

    @property
    def history(self) -> list[Promotion]:
        """The ledger."""
        return self.resources["ledger"].history("loans")

    @property
    def served(self) -> int | None:
        """The version that answers."""
        endpoint = self.resources["deployment"].status("loans")
        return endpoint.model_version if endpoint else None

    @property
    def alias(self) -> int | None:
        """The registry's champion."""
        found = self.resources["tracking"].registry.version_by_alias("loans", "champion")
        return found.version if found else None

    def wait(self, length: timedelta) -> None:
        """Let time go by."""
        self.clock.shift(length)

    def deliver(self, quality: Quality) -> None:
        """New content of the source: like the last, without any signal, or unreadable."""
        self.deliveries += 1
        rng = np.random.default_rng(self.deliveries)
        amount = rng.uniform(1, 100, ROWS).round(2)
        default = (amount + rng.normal(scale=8, size=ROWS) > 50).astype(int)
        if quality == "noise":
            default = rng.integers(0, 2, ROWS)
        table = pd.DataFrame(
            {
                "id": np.arange(ROWS),
                "time": pd.date_range("2025-01-01", periods=ROWS, freq="D").strftime("%Y-%m-%d"),
                "amount": amount,
                "grade": rng.choice(["a", "b"], ROWS),
                "label": default,
            }
        )
        if quality == "broken":
            table = table.drop(columns="label")
        table.to_csv(self.source, index=False)

    def fingerprint(self) -> str | None:
        """Of the source's content."""
        return source_fingerprint(self.settings.source)

    def train(
        self, fate: Fate, stages: int = len(STAGES), tags: dict[str, str] | None = None
    ) -> dg.DagsterRun:
        """A run of the training job: to its end, or until somebody or something ends it."""
        job, tags = self.definitions.resolve_job_def("loans_training"), tags or {}
        if fate == "never_started":
            dead = {**tags, PROCESS: _DEAD}
            return self.instance.create_run_for_job(
                job, tags=dead, status=dg.DagsterRunStatus.NOT_STARTED
            )
        result = self.run("loans_training", STAGES if fate == "ends" else STAGES[:stages], tags)
        run = self._get(result.run_id)
        if fate != "ends":
            self._begin_again(run)
        if fate == "killed":
            self.instance.add_run_tags(run.run_id, {PROCESS: _DEAD})
        if fate == "canceled":
            self.instance.report_run_canceled(self._get(run.run_id))
        return self._get(run.run_id)

    def tick(self, fate: Fate, stages: int) -> dg.SensorResult:
        """A look of the retraining sensor; what it requests becomes a run with this fate."""
        result = tick(self.instance, self.settings, self.resources["decisions"], self.now)
        for request in result.run_requests or []:
            keyed = {"dagster/run_key": str(request.run_key)}
            if not self.instance.get_runs(dg.RunsFilter(tags=keyed)):
                self.train(fate, stages, {**request.tags, **keyed})
        return result

    def settle(self) -> None:
        """What the sensor `mlflow_runs` does."""
        settle(self.instance, self.resources["tracking"].runs)

    def move(self, job: str, config: dict[str, Any]) -> bool:
        """A rollback or a promotion by hand; whether it was done."""
        (op,) = self.definitions.resolve_job_def(f"loans_{job}").graph.node_defs
        return self.run(f"loans_{job}", None, {}, {"ops": {op.name: {"config": config}}}).success

    def look_at_health(self) -> None:
        """A look of the health sensor, and the run that it asks for."""
        sensor = build_endpoint_health_sensor(self.settings)
        with dg.build_sensor_context(
            instance=self.instance,
            cursor=self.health_cursor,
            resources={"deployment": self.resources["deployment"]},
        ) as context:
            result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.health_cursor = result.cursor or self.health_cursor
        for request in result.run_requests or []:
            self.run(str(request.job_name or sensor.job_name), None, request.tags)

    def report_window(self, *, drifted: bool, degraded: bool) -> None:
        """A day is over: its drift, and the outcome of its predictions."""
        version = self.served
        if version is None:
            return
        self.wait(DAY)
        self.windows += 1
        end = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        common = {
            "model": "loans",
            "model_version": version,
            "window": Window(start=end - DAY, end=end),
            "rows": 500,
        }
        drift = DriftSummary(**common, reference_rows=500, verdict="drifted" if drifted else "calm")
        outcome = PerformanceSummary(
            **common, labelled_rows=500, final=True, verdict="degraded" if degraded else "good"
        )
        self._report("drift_report", {"windows": [drift.model_dump(mode="json")]})
        self._report("performance_report", {"final": [outcome.model_dump(mode="json")]})

    def unfinished(self) -> list[dg.DagsterRun]:
        """Runs that have not ended."""
        ended = {"SUCCESS", "FAILURE", "CANCELED"}
        return [run for run in self.instance.get_runs() if run.status.value not in ended]

    def shown(self) -> int | None:
        """The version that Dagster's timeline of the endpoint says is served."""
        key = dg.AssetKey(["loans", "deployed_endpoint"])
        wanted = dg.AssetRecordsFilter(asset_key=key)
        records = [
            *self.instance.fetch_materializations(wanted, limit=1).records,
            *self.instance.fetch_observations(wanted, limit=1).records,
        ]
        if not records:
            return None
        event = max(records, key=lambda record: record.storage_id)
        found = event.asset_materialization or event.event_log_entry.asset_observation
        return int(found.metadata["version"].value) if found else None

    def close(self) -> None:
        """End the instance."""
        self.instance.dispose()

    def run(
        self,
        job: str,
        stages: list[str] | None,
        tags: Any,
        config: dict[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Execute a job, or some of its stages; a failure is in the result."""
        selection = stages and [dg.AssetKey(["loans", stage]) for stage in stages]
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            asset_selection=selection or None,
            tags=dict(tags),
            run_config=config,
            raise_on_error=False,
        )

    def _get(self, run_id: str) -> dg.DagsterRun:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def _begin_again(self, run: dg.DagsterRun) -> None:
        """Its process goes on, as far as the instance knows."""
        started = dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name)
        self.instance.report_dagster_event(started, run.run_id)

    def _report(self, stage: str, metadata: dict[str, Any]) -> None:
        event = dg.AssetMaterialization(["loans", stage], metadata=metadata)
        self.instance.report_runless_asset_event(event)
