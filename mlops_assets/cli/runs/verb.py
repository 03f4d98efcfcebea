"""The verbs `run`, `train` and `deploy`: models on their way from the source to an endpoint.

`run` goes all the way, as far as it is out of date; `train` ends with the gate's verdict, and
`deploy` begins there. No model stops another.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import dagster as dg

from mlops_assets.cli.context import (
    exit_code,
    open_resources,
    say_both,
    say_facts,
)
from mlops_assets.cli.endpoints import served
from mlops_assets.cli.runs.model_run import ModelRun, failed_models, models_of_a_run, run_alone
from mlops_assets.cli.verdict import Verdict, append_report
from mlops_assets.records.data import RejectedRows


def run(models: Sequence[str], *, as_json: bool = False) -> int:
    """Bring each model from its source to a live endpoint; one sample prediction each."""
    with models_of_a_run(models) as (definitions, chosen):
        failed = failed_models(chosen, lambda one: one.is_ready() and one.bring_up_to_date())
        rejected = {one.model: one.rejected() for one in chosen}
    if as_json:
        _say_what_serves(definitions, chosen, rejected)
    return exit_code(definitions, models, good=not failed)


def train(models: Sequence[str], report: Path | None, *, as_json: bool = False) -> int:
    """Bring each model from its source to the gate's verdict; exit code 1 unless all passed."""
    with models_of_a_run(models) as (definitions, chosen):
        verdicts = judged(chosen)
    if report:
        append_report(report, verdicts)
    passed = [verdict.said for verdict in verdicts if verdict.passed]
    refused = [verdict.said for verdict in verdicts if not verdict.passed]
    if as_json:
        say_facts(verdicts, "", as_json=True)
    else:
        say_both(passed, refused)
    return exit_code(definitions, models, good=not refused)


def judged(chosen: Sequence[ModelRun]) -> list[Verdict]:
    """What the gate says of each model, trained as far as it is out of date; the others last."""
    found: list[Verdict] = []

    def judge(one: ModelRun) -> bool:
        if not one.is_ready():
            return False
        found.append(one.train_and_judge())
        return found[-1].passed

    for one in chosen:
        run_alone(one, judge)
    models = {verdict.model for verdict in found}
    failed = [one.model for one in chosen if one.model not in models]
    return found + [Verdict(model=m, said=f"{m}: not trained", passed=False) for m in failed]


def deploy(models: Sequence[str], *, as_json: bool = False) -> int:
    """Deploy each model's version that was evaluated last; one sample prediction each."""
    with models_of_a_run(models) as (definitions, chosen):
        failed = failed_models(chosen, ModelRun.deploy_evaluated)
    if as_json:
        _say_what_serves(definitions, chosen, {})
    return exit_code(definitions, models, good=not failed)


def _say_what_serves(
    definitions: dg.Definitions,
    chosen: Sequence[ModelRun],
    rejected: Mapping[str, RejectedRows | None],
) -> None:
    with open_resources(definitions, "deployment", "ledger") as built:
        found = [served(built.deployment, built.ledger, one.model, {}) for one in chosen]
    found = [one.model_copy(update={"rejected": rejected.get(one.model)}) for one in found]
    say_facts(found, "", as_json=True)
