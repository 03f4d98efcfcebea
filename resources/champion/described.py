"""What MLflow says of a run and of a version, for who looks there and not at Dagster."""

from collections.abc import Mapping
from datetime import datetime

from mlops_assets.config import ModelSettings
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from resources.champion.ledger import PromotionLedger
from resources.champion.places import PLACE, places
from resources.tracking.run import MLflowRun
from resources.tracking.tracking import MLflowTracking

GATE = "mlops/gate"
"""Tag of a version: `passed`, or `refused` and why."""
_MADE_OF = {"data": "dvc/md5", "code": "code/sha256", "settings": "settings/sha256"}
_LONGEST = 500


def run_name(version: ModelVersion, now: datetime, changed: str) -> str:
    """Of a run that registered a version, e.g. `customers 3, 2026-03-01, new data`."""
    return f"{version.name} {version.version}, {now:%Y-%m-%d}, {changed}"


def what_changed(tags: Mapping[str, str], before: Mapping[str, str] | None) -> str:
    """Of the tags of a run and of the version's before: what it is made of that is new."""
    if before is None:
        return "the first"
    changed = [what for what, tag in _MADE_OF.items() if tags.get(tag) != before.get(tag)]
    return f"new {', '.join(changed)}" if changed else "made again"


def name_run(
    run: MLflowRun, version: ModelVersion, tracking: MLflowTracking, now: datetime
) -> None:
    """Call the run that trained a version by what is new in it."""
    older = tracking.registry.version(version.name, version.version - 1)
    before = tracking.run_of(older).tags() if older else None
    run.rename(run_name(version, now, what_changed(run.tags(), before)))


def describe(
    report: Evaluation, settings: ModelSettings, tracking: MLflowTracking, ledger: PromotionLedger
) -> None:
    """Write the gate's verdict, and where the version stands, on the version in the registry."""
    model, decision = report.model, report.decision
    verdict = "passed" if decision.promoted else f"refused: {'; '.join(decision.reasons)}"
    stands = places(ledger.history(model.name)).get(model.version)
    otherwise = "passed the gate" if decision.promoted else "refused by the gate"
    tracking.registry.describe(model, description(report, settings), settings.description)
    tracking.registry.tag(model, {GATE: verdict[:_LONGEST], PLACE: stands or otherwise})


def description(report: Evaluation, settings: ModelSettings) -> str:
    """A version in Markdown: rows, metrics, and the gate's verdict with its reasons."""
    primary = settings.evaluation.primary
    names = [primary, *(name for name in report.metrics if name != primary)]
    told = [f"- {name}: {report.metrics[name]:.4g}" for name in names if name in report.metrics]
    gate = "Passed the gate." if report.decision.promoted else "Refused by the gate:"
    return "\n".join(
        [
            f"Trained on {report.train_rows:,} rows, measured on {report.test_rows:,} held out; "
            f"learnt until {report.learnt_until:%Y-%m-%d}.",
            "",
            *told,
            "",
            gate,
            *(f"- {reason}" for reason in report.decision.reasons),
        ]
    )
