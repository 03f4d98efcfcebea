"""The verb `list`: every model with what serves, the gate's last word, and the last run."""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from mlops_assets.cli.context import (
    aligned,
    exit_code,
    load_definitions,
    open_resources,
    say_facts,
)
from mlops_assets.cli.facts.records import LastRun, ListedModel
from mlops_assets.components.settings import loaded_models
from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from mlops_assets.metadata import read_facts
from mlops_assets.records.evaluation import EvaluationFacts
from resources.champion.ledger import PromotionLedger
from resources.endpoints.deployer import EndpointDeployer
from resources.tracking.outcome import status_of

_JOBS = ("training", "deployment", "restoration", "rollback", "promotion", "backtest")


def list_models(*, as_json: bool) -> int:
    """Print a line for each model; exit code 1 if a YAML has faults, which are said."""
    definitions = load_definitions()
    with (
        dg.DagsterInstance.get() as instance,
        open_resources(definitions, "deployment", "ledger", instance=instance) as built,
    ):
        found = [
            listed(settings, built.deployment, built.ledger, instance)
            for settings in loaded_models(definitions).values()
        ]
    none = "no model yet; make one of a table: mlops init DATA --target COLUMN"
    say_facts(found, _table(found) if found else none, as_json=as_json)
    return exit_code(definitions, [], good=True)


def listed(
    settings: ModelSettings,
    deployment: EndpointDeployer,
    ledger: PromotionLedger,
    instance: dg.DagsterInstance,
) -> ListedModel:
    """One model at a glance."""
    served, head = deployment.status(settings.name), ledger.head(settings.name)
    event = instance.get_latest_materialization_event(asset_key(settings.name, "evaluation_report"))
    judged = read_facts(event.asset_materialization, EvaluationFacts) if event else None
    return ListedModel(
        model=settings.name,
        description=settings.description,
        live_version=served.model_version if served else None,
        endpoint=served.url if served else None,
        champion=head.to_version if head else None,
        champion_since=head.time if head else None,
        evaluated_version=int(judged.model_uri.rpartition("/")[2]) if judged else None,
        passed=judged.promoted if judged else None,
        reasons=judged.reasons if judged and not judged.promoted else "",
        last_run=last_run(settings.name, instance),
    )


def last_run(model: str, instance: dg.DagsterInstance) -> LastRun | None:
    """The newest run of a model's jobs; None before the first."""
    records = [
        record
        for job in _JOBS
        for record in instance.get_run_records(dg.RunsFilter(job_name=f"{model}_{job}"), limit=1)
    ]
    if not records:
        return None
    newest = max(records, key=lambda record: record.create_timestamp)
    start, end, run = newest.start_time, newest.end_time, newest.dagster_run
    return LastRun(
        run_id=run.run_id,
        job=run.job_name,
        status=status_of(run),
        started_at=datetime.fromtimestamp(start, UTC) if start else None,
        seconds=round(end - start, 1) if start and end else None,
    )


def _table(models: Sequence[ListedModel]) -> str:
    rows = [("model", "live", "endpoint", "champion since", "newest evaluated", "last run (UTC)")]
    for one in models:
        since = f"{one.champion} since {one.champion_since:%Y-%m-%d}" if one.champion_since else "-"
        rows.append(
            (
                one.model,
                str(one.live_version or "-"),
                one.endpoint or "-",
                since,
                _verdict(one),
                _ran(one.last_run),
            )
        )
    return aligned(rows)


def _verdict(one: ListedModel) -> str:
    if one.evaluated_version is None:
        return "-"
    return f"{one.evaluated_version} {'passed' if one.passed else 'is refused'}"


def _ran(run: LastRun | None) -> str:
    if run is None:
        return "-"
    when = f"{run.started_at:%Y-%m-%d %H:%M} " if run.started_at else ""
    took = f", {run.seconds:.0f} s" if run.seconds is not None else ""
    return f"{when}{run.job.rpartition('_')[2]} {run.status.lower()}{took}"
