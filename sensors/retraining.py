"""One sensor a model: it reads the reports and the source, lets the policy decide, and requests."""

from datetime import UTC, datetime

import dagster as dg

from jobs.asset_jobs import training_job_name
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key, partitions_of, tags_of_now
from mlops_assets.ml.retraining.policy import decide
from mlops_assets.records.retraining import Decision
from resources.decisions import DecisionStore
from sensors.retrain_signals import DECISION_TAG, read_signals


def build_retraining_sensor(settings: ModelSettings) -> dg.SensorDefinition:
    """Fed by `drift_report`, `performance_report` and the source; one decision for all of them."""

    @dg.sensor(
        name=f"{settings.name}_retraining",
        job_name=training_job_name(settings.name),
        minimum_interval_seconds=int(settings.monitoring.new_data_every.total_seconds()),
        description="Decides by `monitoring.retrain` whether to train; `mlops why` shows it. "
        "Switch it on once the model is live and its monitoring runs by a schedule.",
    )
    def retraining_sensor(
        context: dg.SensorEvaluationContext, decisions: DecisionStore
    ) -> dg.SensorResult:
        return tick(context.instance, settings, decisions, datetime.now(UTC))

    return retraining_sensor


def tick(
    instance: dg.DagsterInstance, settings: ModelSettings, decisions: DecisionStore, now: datetime
) -> dg.SensorResult:
    """Decide once. What is decided is on disk before a run is asked for."""
    memory = decisions.load(settings.name)
    signals = read_signals(instance, settings, memory.state.pending)
    pause = decisions.pause(settings.name, now)
    signals = signals.model_copy(update={"pause": pause})
    decision = decide(settings.monitoring.retrain, memory.state, signals, now)
    new = decisions.record(settings.name, decision, memory, now, signals.outcome)
    return to_result(settings, decision, new=new)


def to_result(settings: ModelSettings, decision: Decision, *, new: bool) -> dg.SensorResult:
    """The request, or the reason for none; a new decision is also an event of `trained_model`."""
    said = {"action": decision.action, "rule": decision.rule, "reason": decision.reason}
    trained = asset_key(settings.name, "trained_model")
    events = [dg.AssetObservation(trained, metadata=said)] if new else []
    pending = decision.state.pending
    if decision.action != "train" or pending is None:
        skip = f"{decision.action} ({decision.rule}): {decision.reason}"
        return dg.SensorResult(skip_reason=skip, asset_events=events)
    tags = {"mlops/trigger": pending.trigger, DECISION_TAG: pending.id, "mlops/why": pending.why}
    tags |= tags_of_now(partitions_of(settings))
    # Dagster starts one run for a run key, however often it is asked to.
    request = dg.RunRequest(run_key=pending.id, tags=tags)
    return dg.SensorResult(run_requests=[request], asset_events=events)
