"""CPU seconds that Dagster adds to a step: a run of the whole graph against its functions alone.

A table of 400 rows and the resources of the tests, so that the work is small and the same; but a
real instance with sqlite storage, and real files for the stored values. Both are run in turn in one
process, and the first round, which imports the libraries, is not counted.

    python -m benchmarks.overhead.step FOLDER [ROUNDS]
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.assets.data import source_files
from mlops_assets.assets.model import train
from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.delivered import checked_rows, read_rows
from mlops_assets.ml.data.processing import process
from mlops_assets.ml.documented import TracedRows
from mlops_assets.ml.features.agreement import newest_rows
from mlops_assets.ml.features.build import build_features
from mlops_assets.ml.features.labelled import labelled_keys
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.inference.model_files import untrusted_types
from mlops_assets.ml.plots.evaluation import evaluation_plots
from mlops_assets.ml.training.fit import split
from mlops_assets.ml.training.many_rows.growing import grown_here
from mlops_assets.model_versions.card import log_card
from mlops_assets.model_versions.fetched import fetched
from mlops_assets.model_versions.gate import Against, judge
from mlops_assets.model_versions.online_features import online_features
from mlops_assets.model_versions.packaging import (
    documented,
    gate_move,
    require_evaluated,
    require_passed,
)
from mlops_assets.monitoring.live_window import held_out_profile
from mlops_assets.records.data import FeatureView, Origin
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.files import PROFILE_FILE
from resources.champion.aliases import champion_of, promote, reconcile, registered
from tests.support.loans import fake_resources, loans_yaml, write_loans

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def main(folder: Path, rounds: int) -> None:
    """Print `{"per_step": ..., "run": ..., "direct": ..., "steps": ...}` as JSON, medians."""
    settings = ModelSettings.model_validate(loans_yaml(write_loans(folder / "loans.csv")))
    fakes = fake_resources(folder)
    job = dg.Definitions.merge(
        build_model_defs(settings), dg.Definitions(resources=fakes)
    ).resolve_job_def(f"{settings.name}_training")
    runs, directs, steps = [], [], 0
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        for _ in range(rounds + 1):
            begin = time.process_time()
            result = job.execute_in_process(instance=instance, run_config=_QUIET)
            middle = time.process_time()
            call_directly(settings, fakes)
            runs.append(middle - begin)
            directs.append(time.process_time() - middle)
            steps = len(result.filter_events(lambda event: event.is_step_success))
    added = [run - direct for run, direct in zip(runs[1:], directs[1:], strict=True)]
    found = {
        "per_step": statistics.median(added) / steps,
        "run": statistics.median(runs[1:]),
        "direct": statistics.median(directs[1:]),
        "steps": steps,
    }
    print(json.dumps(found))


def call_directly(settings: ModelSettings, fakes: dict[str, Any]) -> None:
    """The calls that the assets and checks make, without storing or reporting anything."""
    features = _features(settings, fakes)
    with fakes["tracking"].run(settings.name, tags={"dvc/md5": features.record.raw.md5}) as run:
        model, _ = train(features, settings, run, grown_here)
    report = _evaluate(features, model, settings, fakes)
    _deploy(features.rows, report, settings, fakes)


def _features(settings: ModelSettings, fakes: dict[str, Any]) -> TracedRows:
    datasets, store, view = fakes["datasets"], fakes["feature_store"], FeatureView.of(settings)
    with source_files(settings) as (files, _):
        read_rows(files, settings)
        raw = datasets.add(settings.name, files)
    datasets.damaged_files(raw)
    with datasets.open(raw) as files:
        now = datasets.now()
        checked = checked_rows(files, settings, now)
        datasets.keep_rejected(settings.name, raw, checked.bad)
    frame = process(checked.rows, settings.processing)
    computed = build_features(frame, settings)
    keys = labelled_keys(frame, computed, settings, now)
    store.publish(view, computed)
    rows = store.training_rows(view, keys)
    store.online_rows(view, newest_rows(rows, view)[settings.key.name].tolist())
    return TracedRows(rows, Origin(raw=raw, checked_at=now))


def _evaluate(
    features: TracedRows, model: ModelVersion, settings: ModelSettings, fakes: dict[str, Any]
) -> Evaluation:
    rows, tracking = features.rows, fakes["tracking"]
    parts = split(rows, settings)
    with fetched(model, tracking, settings) as one:
        untrusted_types(one.content)
    with fetched(model, tracking, settings) as candidate:
        held_out = candidate.scored(parts.test, settings)
        against = Against(tracking, fakes["ledger"], fakes["datasets"], features.record)
        report = judge(candidate, held_out, parts, settings, against)
    tracking.run_of(model).log_metrics(report.metrics)
    target = parts.test[settings.target.name]
    plots = evaluation_plots(held_out.scores, target, held_out.task, held_out.classes)
    tracking.run_of(model).log_plots(plots)
    log_card(report, parts, settings, tracking, features.record)
    reference = held_out_profile(rows, model, settings, tracking)
    tracking.run_of(model).log_text(PROFILE_FILE, reference.model_dump_json())
    return report


def _deploy(
    rows: pd.DataFrame, report: Evaluation, settings: ModelSettings, fakes: dict[str, Any]
) -> None:
    tracking, ledger, deployment = fakes["tracking"], fakes["ledger"], fakes["deployment"]
    name, model = settings.name, report.model
    require_passed(report, model, champion_of(name, tracking, ledger), settings)
    with fetched(model, tracking, settings) as one:
        servable, recorded = one.servable(settings), one.recorded(rows, settings)
        require_evaluated(servable, report)
        servable = documented(servable, one, tracking)
        online = online_features(rows, settings, fakes["feature_store"])
        move = gate_move(report, "called directly")
        with promote(move, ledger.head(name), tracking=tracking, ledger=ledger):
            endpoint = deployment.deploy(servable, one.file, recorded, online, settings.deployment)
    reconcile(name, tracking=tracking, ledger=ledger)
    view = FeatureView.of(settings)
    newest = newest_rows(rows, view)[[settings.key.name, TIMESTAMP]]
    offline = fakes["feature_store"].training_rows(view, newest)
    version = registered(name, endpoint.model_version, tracking)
    with fetched(version, tracking, settings) as live:
        _ = live.scored(offline, settings).scores
    deployment.predict(name, offline[settings.key.name].tolist(), logged=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), int(sys.argv[2]) if len(sys.argv) > 2 else 7)
