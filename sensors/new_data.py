"""Train when the source has new content."""

import dagster as dg
from pydantic import BaseModel

from jobs.training import training_job_name
from mlops_assets.config import ModelSettings
from mlops_assets.errors import SourceError
from mlops_assets.keys import asset_key
from mlops_assets.ml.sources import source_fingerprint


class _Seen(BaseModel):
    """The cursor: the content last handled, and how many changes there were."""

    fingerprint: str
    changes: int = 0


def build_new_data_sensor(settings: ModelSettings) -> dg.SensorDefinition:
    """One training run for each change of the source's content, none for an unchanged one."""
    raw = asset_key(settings.name, "raw_data")

    @dg.sensor(
        name=f"{settings.name}_new_data",
        job_name=training_job_name(settings),
        minimum_interval_seconds=int(settings.monitoring.new_data_every.total_seconds()),
        description="Requests a training run when the content of the source has changed.",
    )
    def new_data_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            fingerprint = source_fingerprint(settings.source)
        except SourceError as err:  # it may be in the middle of being replaced
            return dg.SensorResult(skip_reason=str(err))
        if fingerprint is None:
            return dg.SensorResult(skip_reason="the loader names no `source.watch` to look at")
        seen = _last_seen(context, raw)
        if seen.fingerprint == fingerprint:
            return dg.SensorResult(
                skip_reason=f"content unchanged: {fingerprint}", cursor=seen.model_dump_json()
            )
        now = _Seen(fingerprint=fingerprint, changes=seen.changes + 1)
        # Counted, because content may change back, and a run key is honoured only once.
        request = dg.RunRequest(
            run_key=f"{now.changes}-{fingerprint}", tags={"mlops/trigger": "new_data"}
        )
        return dg.SensorResult(run_requests=[request], cursor=now.model_dump_json())

    return new_data_sensor


def _last_seen(context: dg.SensorEvaluationContext, raw: dg.AssetKey) -> _Seen:
    """The cursor; before there is one, the content that was last materialized, if any."""
    if context.cursor:
        return _Seen.model_validate_json(context.cursor)
    event = context.instance.get_latest_materialization_event(raw)
    if event is None or event.asset_materialization is None:
        return _Seen(fingerprint="")
    found = event.asset_materialization.metadata.get("source_fingerprint")
    return _Seen(fingerprint=str(found.value) if found else "")
