"""What the page says of one model, looked up in the stores that hold it; nothing is remembered.

How it looks is `page`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.keys import Stage, asset_key
from mlops_assets.metadata import read_facts
from mlops_assets.records.monitoring import DriftFacts, DriftSummary, OutcomeFacts
from mlops_assets.records.promotion import Promotion
from mlops_assets.records.retraining import Pause, Recorded
from mlops_assets.records.serving import Endpoint
from mlops_assets.status.traffic import Traffic, read_traffic
from resources.champion.ledger import PromotionLedger
from resources.dagster.internals import next_tick, running_schedules
from resources.decisions import DecisionStore
from resources.endpoints.client import request
from resources.endpoints.deployer import EndpointDeployer

_REPORTS = 14
"""How many of a kind are drawn."""
_TIMEOUT_SECONDS = 5.0

State = Literal["live", "odd", "down", "new"]
"""Odd: it serves what it should not. Down: it has a champion and does not answer."""


class NextRun(NamedTuple):
    """What the clock starts next."""

    job: str
    at: datetime


@dataclass(frozen=True)
class ModelStatus:
    """One model as it is now."""

    model: str
    state: State
    said: str
    """Why it is not live; empty if it is."""
    endpoint: Endpoint | None
    moves: tuple[Promotion, ...]
    """All of them, the oldest first."""
    primary: str
    """The metric by which versions are compared."""
    limit: float | None
    """Of the gate, for that metric."""
    traffic: Traffic | None
    drift: tuple[DriftSummary, ...]
    """Windows of the newest reports, the oldest first."""
    outcomes: OutcomeFacts | None
    decision: Recorded | None
    pause: Pause | None
    next_run: NextRun | None
    data_read: datetime | None
    """When the raw data were read last."""


class Stores(NamedTuple):
    """Where to look."""

    instance: dg.DagsterInstance
    deployment: EndpointDeployer
    ledger: PromotionLedger
    decisions: DecisionStore


def look(settings: ModelSettings, stores: Stores, now: datetime) -> ModelStatus:
    """One model as it is now; what was never done or does not answer is None or empty."""
    model, primary = settings.name, settings.evaluation.primary
    endpoint, moves = stores.deployment.status(model), stores.ledger.history(model)
    state, said = _state(endpoint, moves)
    history = stores.decisions.history(model, last=1)
    limit = settings.evaluation.gate.limits.get(primary)
    raw = stores.instance.get_latest_materialization_event(asset_key(model, "raw_data"))
    return ModelStatus(
        model=model,
        state=state,
        said=said,
        endpoint=endpoint,
        moves=tuple(moves),
        primary=primary,
        limit=None if limit is None else limit.min if limit.min is not None else limit.max,
        traffic=_traffic(endpoint),
        drift=_drift(stores.instance, model),
        outcomes=_outcomes(stores.instance, model),
        decision=history[-1] if history else None,
        pause=stores.decisions.pause(model, now),
        next_run=_next_run(stores.instance, settings, now),
        data_read=datetime.fromtimestamp(raw.timestamp, UTC) if raw else None,
    )


def _drift(instance: dg.DagsterInstance, model: str) -> tuple[DriftSummary, ...]:
    """Each window once, by the newest report that judged it."""
    windows: dict[datetime, DriftSummary] = {}
    for report in reversed(_newest(instance, model, "drift_report")):
        facts = read_facts(report, DriftFacts) or DriftFacts()
        windows |= {summary.window.start: summary for summary in facts.judged}
    return tuple(windows[start] for start in sorted(windows)[-_REPORTS:])


def _outcomes(instance: dg.DagsterInstance, model: str) -> OutcomeFacts | None:
    reports = _newest(instance, model, "performance_report")
    return read_facts(reports[0], OutcomeFacts) if reports else None


def _newest(
    instance: dg.DagsterInstance, model: str, stage: Stage
) -> list[dg.AssetMaterialization]:
    """The newest first."""
    found = instance.fetch_materializations(asset_key(model, stage), limit=_REPORTS)
    events = (record.asset_materialization for record in found.records)
    return [event for event in events if event is not None]


def _next_run(
    instance: dg.DagsterInstance, settings: ModelSettings, now: datetime
) -> NextRun | None:
    """The first tick of the schedules that are on."""
    on = running_schedules(instance)
    ticks = [
        NextRun(job, next_tick(cron, now))
        for job, cron in settings.schedule.crons.items()
        if f"{settings.name}_{job}_schedule" in on
    ]
    return min(ticks, key=lambda tick: tick.at, default=None)


def _state(endpoint: Endpoint | None, moves: list[Promotion]) -> tuple[State, str]:
    champion = moves[-1].to_version if moves else None
    if endpoint is None:
        if champion is None:
            return "new", "no version was promoted yet"
        return "down", f"version {champion} is the champion and does not answer"
    if endpoint.fallback:
        return "odd", endpoint.fallback
    if endpoint.unlogged:
        return "odd", f"predictions are not logged: {endpoint.unlogged}"
    if champion not in (None, endpoint.model_version):
        return "odd", f"the champion is version {champion}"
    return "live", ""


def _traffic(endpoint: Endpoint | None) -> Traffic | None:
    """None if the endpoint does not say."""
    if endpoint is None:
        return None
    try:
        status, body = request(endpoint.url, "GET", "/metrics", None, _TIMEOUT_SECONDS)
    except DeploymentError:
        return None  # it has ended since it was asked
    return read_traffic(body.decode()) if status == 200 else None
