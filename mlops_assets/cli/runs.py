"""The verbs `run`, `train` and `deploy`: models on their way from the source to an endpoint.

`run` goes all the way, as far as it is out of date; `train` ends with the gate's verdict, and
`deploy` begins there. No model stops another.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from jobs.promotion import events
from mlops_assets.cli.checks import is_ready
from mlops_assets.cli.context import (
    chosen_models,
    exit_code,
    load_definitions,
    open_deployment,
    open_promotions,
    open_resources,
    say,
    say_both,
)
from mlops_assets.cli.endpoints import answer_by_features, answers
from mlops_assets.cli.failures import failed_steps, survived
from mlops_assets.cli.freshness import stale_assets
from mlops_assets.cli.verdict import Verdict, append_report, verdict_of
from mlops_assets.errors import DeploymentError, MlopsError
from mlops_assets.home import home
from mlops_assets.keys import asset_key
from mlops_assets.metadata import read_facts
from mlops_assets.records.data import FeatureFacts
from mlops_assets.records.evaluation import EvaluationFacts
from mlops_assets.runtime.atomic import exclusive
from mlops_assets.runtime.interrupts import interruptible
from resources.champion.aliases import champion_of
from resources.champion.by_hand import Promotions
from resources.dagster.executors import execute_here
from resources.endpoints.deployer import EndpointDeployer
from resources.tracking.outcome import end_dead_runs, settle

if TYPE_CHECKING:
    from mlops_assets.cli.context import Verbs


def add_verbs(verbs: "Verbs") -> None:
    """Declare the three verbs."""
    verb = verbs.add_parser("run", help="materialize what is out of date, and predict once")
    verb.add_argument("models", nargs="*", help="default: all")
    verb.set_defaults(run=run)
    verb = verbs.add_parser("train", help="the same up to the gate's verdict; deploys nothing")
    verb.add_argument("models", nargs="*", help="default: all")
    verb.add_argument("--report", type=Path, metavar="FILE", help="add verdicts and model cards")
    verb.set_defaults(run=train)
    verb = verbs.add_parser("deploy", help="deploy what `train` left, if it passed; predict once")
    verb.add_argument("models", nargs="*", help="default: all")
    verb.set_defaults(run=deploy)


def run(models: Sequence[str]) -> int:
    """Bring each model from its source to a live endpoint; one sample prediction each."""
    with _models_of_a_run(models) as (definitions, instance, chosen):

        def bring_up(model: str) -> bool:
            return is_ready(definitions, instance, model) and bring_up_to_date(
                definitions, instance, model
            )

        failed = _failed(chosen, bring_up)
    return exit_code(definitions, models, good=not failed)


def train(models: Sequence[str], report: Path | None) -> int:
    """Bring each model from its source to the gate's verdict; exit code 1 unless all passed."""
    verdicts: list[Verdict] = []
    with _models_of_a_run(models) as (definitions, instance, chosen):

        def judge(model: str) -> bool:
            verdicts.append(train_and_judge(definitions, instance, model))
            return True

        failed = [
            model
            for model in chosen
            if not is_ready(definitions, instance, model) or not survived(model, judge)
        ]
    verdicts += [Verdict(f"{model}: not trained", passed=False) for model in failed]
    if report:
        append_report(report, verdicts)
    passed = [verdict.said for verdict in verdicts if verdict.passed]
    refused = [verdict.said for verdict in verdicts if not verdict.passed]
    say_both(passed, refused)
    return exit_code(definitions, models, good=not refused)


def deploy(models: Sequence[str]) -> int:
    """Deploy each model's version that was evaluated last; one sample prediction each."""
    with _models_of_a_run(models) as (definitions, instance, chosen):
        failed = _failed(chosen, lambda model: deploy_evaluated(definitions, instance, model))
    return exit_code(definitions, models, good=not failed)


@contextmanager
def _models_of_a_run(
    models: Sequence[str],
) -> Generator[tuple[dg.Definitions, dg.DagsterInstance, list[str]]]:
    """Hold the lock of runs, and end those of killed processes first."""
    definitions = load_definitions()
    with interruptible(), exclusive(home() / "run.lock"), dg.DagsterInstance.get() as instance:
        settle_runs(definitions, instance)
        yield definitions, instance, chosen_models(definitions, models)


def _failed(models: Sequence[str], do: Callable[[str], bool]) -> list[str]:
    """The models of which `do` went wrong, after naming them."""
    failed = [model for model in models if not survived(model, do)]
    if failed:
        say(f"failed: {', '.join(failed)}", error=True)
    return failed


def bring_up_to_date(definitions: dg.Definitions, instance: dg.DagsterInstance, model: str) -> bool:
    """Follow the ledger, then the source, and materialize what is stale; False if a step failed."""
    with open_promotions(definitions, model) as promotions:
        _restore(promotions, instance)
        if not _renew(definitions, instance, model, promotions.deployment):
            return False
        _predict_once(instance, model, promotions.deployment)
    return True


def train_and_judge(
    definitions: dg.Definitions, instance: dg.DagsterInstance, model: str
) -> Verdict:
    """Materialize what is out of date, all but the endpoint; what the gate says of the version.

    The champion is not touched.
    """
    key = asset_key(model, "evaluation_report")
    before = instance.get_latest_materialization_event(key)
    complete = _renew(definitions, instance, model, None)
    report = instance.get_latest_materialization_event(key)
    facts = read_facts(report.asset_materialization, EvaluationFacts) if report else None
    if facts is None or (report == before and not complete):
        return Verdict(f"{model}: not evaluated, since a step before that failed", passed=False)
    return verdict_of(model, facts, complete=complete)


def deploy_evaluated(definitions: dg.Definitions, instance: dg.DagsterInstance, model: str) -> bool:
    """Deploy the version that was evaluated last, as it is, and ask it once.

    Nothing is read from the source and nothing trained; False if it is refused or cannot be served.
    """
    endpoint = asset_key(model, "deployed_endpoint")
    if not _materialize(definitions, instance, model, [endpoint], job="deployment"):
        return False
    with open_deployment(definitions) as deployment:
        _predict_once(instance, model, deployment)
    return True


def _renew(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    model: str,
    deployment: EndpointDeployer | None,
) -> bool:
    """Read the source and materialize what is stale, without `deployment` all but the endpoint.

    Returns:
        False if a step or a blocking check failed.
    """
    if not _materialize(definitions, instance, model, [asset_key(model, "raw_data")]):
        return False
    stale, endpoint = _stale(definitions, instance, model), asset_key(model, "deployed_endpoint")
    evaluation = asset_key(model, "evaluation_report")
    if deployment is None:
        stale.pop(endpoint, None)
    elif endpoint not in stale:
        found = deployment.status(model)
        if found is None or found.fallback:
            stale[endpoint] = (
                "it does not serve what is wanted" if found else "the endpoint is down"
            )
    # With nothing to deploy, a champion of somebody's choice is no reason to evaluate.
    deciding = evaluation not in stale and (deployment is None or endpoint in stale)
    if deciding and (moved := _champion_moved(definitions, instance, model)):
        stale = {evaluation: moved, **stale}
    for key, reason in stale.items():
        say(f"{key.to_user_string()} is out of date: {reason}")
    return not stale or _materialize(definitions, instance, model, list(stale))


def _stale(
    definitions: dg.Definitions, instance: dg.DagsterInstance, model: str
) -> dict[dg.AssetKey, str]:
    specs = definitions.resolve_all_asset_specs()
    return stale_assets(instance, [spec for spec in specs if spec.group_name == model])


def _champion_moved(
    definitions: dg.Definitions, instance: dg.DagsterInstance, model: str
) -> str | None:
    """Why the newest evaluation decides nothing any more; None if it does, or there is none."""
    report = instance.get_latest_materialization_event(asset_key(model, "evaluation_report"))
    facts = read_facts(report.asset_materialization, EvaluationFacts) if report else None
    if facts is None:
        return None
    with open_resources(definitions, "tracking", "ledger", instance=instance) as built:
        champion = champion_of(model, built.tracking, built.ledger)
    now = champion.uri if champion else "none"
    if now in (facts.champion, facts.model_uri):
        return None
    return f"the champion is {now}, and {facts.champion} was when it was made"


def _restore(promotions: Promotions, instance: dg.DagsterInstance) -> None:
    """Serve what the ledger says; a champion that cannot be served must not stop its successor."""
    try:
        if endpoint := promotions.restore():
            version = endpoint.model_version
            for event in events(instance, endpoint, version):
                instance.report_runless_asset_event(event)
            say(f"{promotions.model}: version {version} serves, as the ledger says")
    except DeploymentError as err:
        say(f"{promotions.model}: the ledger's champion does not serve: {err}", error=True)


def _materialize(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    model: str,
    keys: Sequence[dg.AssetKey],
    job: str = "training",
) -> bool:
    result = execute_here(
        definitions.resolve_job_def(f"{model}_{job}"),
        instance,
        (definitions.resources or {})["tracking"],
        assets=keys,
        tags={"mlops/launched_by": "mlops"},
        run_config={"loggers": {"progress": {}}},
    )
    for line in failed_steps(result.all_events):
        say(line, error=True)
    settle_runs(definitions, instance)
    return result.success


def settle_runs(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """End the runs of killed processes, which the last one may have been, and say so."""
    for run in end_dead_runs(instance):
        say(f"run {run.run_id[:8]} of {run.job_name} was killed; it is ended", error=True)
    with open_resources(definitions, "tracking", instance=instance) as built:
        settle(instance, built.tracking.runs)


def _predict_once(instance: dg.DagsterInstance, model: str, deployment: EndpointDeployer) -> None:
    endpoint = deployment.status(model)
    if endpoint is not None and endpoint.entity is None:
        say(answer_by_features(deployment, endpoint))
        return
    good, _ = answers(deployment, model, [_sample_entity(instance, model)])
    say("\n".join(good))


def _sample_entity(instance: dg.DagsterInstance, model: str) -> str:
    event = instance.get_latest_materialization_event(asset_key(model, "features"))
    facts = read_facts(event.asset_materialization, FeatureFacts) if event else None
    if facts is None:
        raise MlopsError(f"{model}/features was never materialized; run `mlops run {model}`")
    return facts.newest_entity
