"""The verbs `logs` and `open`: what was said of a model's runs and endpoint, and where to look."""

import sys
import webbrowser
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Literal

import dagster as dg

from mlops_assets.cli.context import (
    chosen_models,
    load_definitions,
    open_resources,
    say,
    say_facts,
)
from mlops_assets.cli.facts.overview import last_run
from mlops_assets.cli.facts.records import Addresses
from mlops_assets.cli.failures import failed_steps
from mlops_assets.errors import ConfigError
from mlops_assets.home import endpoints_root
from mlops_assets.interfaces.code_server import LOCATION
from mlops_assets.records.files import SERVER_LOG
from resources.tracking.outcome import status_of
from resources.tracking.store import ui_page

Page = Literal["dagster", "mlflow", "endpoint"]


def logs(model: str, run: str | None, last: int) -> int:
    """Print the newest run of a model, or the one named, and what its endpoint said."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with dg.DagsterInstance.get() as instance:
        for line in run_lines(model, run, instance, last):
            say(line)
    file = endpoints_root() / model / SERVER_LOG
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    say(f"{file}: {'the newest lines' if text else 'nothing was said'}")
    for line in text.splitlines()[-last:]:
        say(f"  {line}")
    return 0


def run_lines(
    model: str, run_id: str | None, instance: dg.DagsterInstance, last: int
) -> Iterator[str]:
    """What a run did, a line for each step, message and failure.

    Raises:
        ConfigError: There is no such run.
    """
    newest = last_run(model, instance) if run_id is None else None
    if run_id is None and newest is None:
        yield f"{model} never ran; `mlops run {model}`"
        return
    run = _run(newest.run_id if newest else str(run_id), instance)
    yield f"run {run.run_id} of {run.job_name}: {status_of(run).lower()}"
    entries = instance.all_logs(run.run_id)
    said = [line for entry in entries if (line := _line(entry))]
    left_out = max(0, len(said) - last)
    if left_out:
        yield f"  ... {left_out} lines before that: --last {len(said)}"
    yield from islice(said, left_out, None)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    yield from (f"  {line}" for line in failed_steps(events))


def _run(named: str, instance: dg.DagsterInstance) -> dg.DagsterRun:
    found = instance.get_run_by_id(named)
    if found is None and len(named) >= 8:  # as we print ids
        runs = instance.get_runs(limit=1000)
        found = next((run for run in runs if run.run_id.startswith(named)), None)
    if found is None:
        raise ConfigError(f"there is no run {named}; `mlops logs MODEL` says the newest one's id")
    return found


def _line(entry: dg.EventLogEntry) -> str | None:
    """None of what only Dagster needs."""
    at = f"  {datetime.fromtimestamp(entry.timestamp, UTC):%H:%M:%S}  "
    event = entry.dagster_event
    if event is None:
        return f"{at}{entry.user_message}" if entry.user_message else None
    if event.is_step_materialization and event.asset_key:
        return f"{at}{event.asset_key.to_user_string()}: materialized"
    if event.is_step_start or event.is_step_up_for_retry or event.is_step_failure:
        return f"{at}{event.step_key}: {event.event_type_value.removeprefix('STEP_').lower()}"
    return None


def open_pages(model: str, page: Page, *, as_json: bool) -> int:
    """Print where a model is looked at; on a terminal, open one of the pages in a browser."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "deployment", "tracking") as built:
        served, tracking = built.deployment.status(model), built.tracking
        mlflow = ui_page(tracking.tracking_uri, tracking.mlflow_url, f"models/{model}")
        dagster = f"{tracking.dagster_url.rstrip('/')}/locations/{LOCATION}"
    found = Addresses(
        model=model,
        dagster=f"{dagster}/asset-groups/{model}",
        mlflow=mlflow,
        endpoint=served.url if served else None,
    )
    said = {"Dagster": found.dagster, "MLflow": found.mlflow, "endpoint": found.endpoint}
    none = f"none answers; `mlops up {model}`"
    lines = [f"{name:10}{address or none}" for name, address in said.items()]
    say_facts(found, "\n".join(lines), as_json=as_json)
    address = getattr(found, page)
    if address and sys.stdout.isatty() and not as_json:
        webbrowser.open(address)
    return 0
