"""One model on its way from the source to an endpoint, and several of them side by side.

The verbs that send them there are in `runs` and `monitoring`.
"""

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import dagster as dg

from jobs.promotion import events
from mlops_assets.blocks.base import Record
from mlops_assets.cli.context import (
    alone,
    chosen_models,
    load_definitions,
    open_promotions,
    open_resources,
    said_who_runs,
    say,
)
from mlops_assets.cli.endpoints import answer_by_features, answers
from mlops_assets.cli.facts.checks import python_faults, require_engine, sound_models
from mlops_assets.cli.failures import failed_steps, survived
from mlops_assets.cli.runs.freshness import stale_assets
from mlops_assets.cli.verdict import Verdict, verdict_of
from mlops_assets.components.settings import loaded_models
from mlops_assets.errors import DeploymentError, MlopsError
from mlops_assets.home import home
from mlops_assets.keys import Stage, TrainingStage, asset_key, pool
from mlops_assets.metadata import read_facts
from mlops_assets.records.data import FeatureFacts, RejectedRows
from mlops_assets.records.evaluation import EvaluationFacts
from mlops_assets.runtime import terminal
from mlops_assets.runtime.atomic import exclusive
from mlops_assets.runtime.interrupts import interruptible
from resources.champion.aliases import champion_of
from resources.champion.by_hand import Promotions
from resources.dagster.executors import execute_here
from resources.dagster.run_limits import runs_at_once, wait_for_others
from resources.endpoints.deployer import EndpointDeployer
from resources.tracking.outcome import end_dead_runs, settle

_Facts = TypeVar("_Facts", bound=Record)
_WORTH_SAYING_SECONDS = 2


@dataclass(frozen=True)
class ModelRun:
    """One model on its way, with the definitions and the instance that it is run by."""

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    model: str

    def is_ready(self) -> bool:
        """Whether nothing is wrong with what a run would import; says it otherwise.

        scikit-learn costs 6 CPU seconds, so the estimator is looked at where a training follows.
        """
        trains = asset_key(self.model, "trained_model") in self._stale()
        stages: list[TrainingStage] = ["raw_data", "trained_model"] if trains else ["raw_data"]
        found = sound_models().get(self.model)
        faults = list(python_faults(found, stages)) if found else []
        for fault in faults:
            say(str(fault), error=True)
        return not faults

    def bring_up_to_date(self) -> bool:
        """Follow ledger, then source, and materialize what is stale; False if a step failed."""
        with open_promotions(self.definitions, self.model) as promotions:
            self._restore(promotions)
            if not self._renew(promotions.deployment):
                return False
            self._predict_once(promotions.deployment)
        return True

    def train_and_judge(self) -> Verdict:
        """Materialize what is out of date, all but the endpoint; what the gate says of the version.

        The champion is not touched.
        """
        before = self._newest("evaluation_report")
        complete = self._renew(None)
        report = self._newest("evaluation_report")
        facts = self.newest_facts("evaluation_report", EvaluationFacts)
        if facts is None or (report == before and not complete):
            said = f"{self.model}: not evaluated, since a step before that failed"
            return Verdict(model=self.model, said=said, passed=False)
        return verdict_of(self.model, facts, self.rejected(), complete=complete)

    def deploy_evaluated(self) -> bool:
        """Deploy the version that was evaluated last, as it is, and ask it once.

        Nothing is read from the source or trained; False if it is refused or cannot be served.
        """
        endpoint = asset_key(self.model, "deployed_endpoint")
        if not self.materialize([endpoint], job="deployment"):
            return False
        with open_resources(self.definitions, "deployment") as built:
            self._predict_once(built.deployment)
        return True

    def _renew(self, deployment: EndpointDeployer | None) -> bool:
        """Read the source and materialize what is stale, without `deployment` all but the endpoint.

        Returns:
            False if a step or a blocking check failed.
        """
        if not self.materialize([asset_key(self.model, "raw_data")]) or not self._make_features():
            return False
        stale, endpoint = self._stale(), asset_key(self.model, "deployed_endpoint")
        evaluation = asset_key(self.model, "evaluation_report")
        if deployment is None:
            stale.pop(endpoint, None)
        elif endpoint not in stale:
            found = deployment.status(self.model)
            if found is None or found.fallback:
                stale[endpoint] = (
                    "it does not serve what is wanted" if found else "the endpoint is down"
                )
        # With nothing to deploy, a champion of somebody's choice is no reason to evaluate.
        deciding = evaluation not in stale and (deployment is None or endpoint in stale)
        if deciding and (moved := self._champion_moved()):
            stale = {evaluation: moved, **stale}
        if not stale:
            say(f"{self.model}: up to date")
        return not stale or self._make(stale)

    def _make_features(self) -> bool:
        """Features with partitions, if stale: their version is of what is in them.

        So a delivery that changes none of them makes nothing after them stale. False if one failed.
        """
        if loaded_models(self.definitions)[self.model].partitions is None:
            return True
        data = {asset_key(self.model, stage) for stage in ("processed_data", "features")}
        stale = {key: reason for key, reason in self._stale().items() if key in data}
        return not stale or self._make(stale)

    def _make(self, stale: Mapping[dg.AssetKey, str]) -> bool:
        """Materialize these, and name the rows that it put into quarantine; False if one failed."""
        for key, reason in stale.items():
            say(f"{key.to_user_string()} is out of date: {reason}")
        began = time.time()
        complete = self.materialize([*stale])
        if rejected := self.rejected(since=began):
            say(f"{self.model}: {rejected.said}", error=True)
        return complete

    def _stale(self) -> dict[dg.AssetKey, str]:
        specs = self.definitions.resolve_all_asset_specs()
        return stale_assets(self.instance, [s for s in specs if s.group_name == self.model])

    def newest_facts(self, stage: Stage, kind: type[_Facts], since: float = 0) -> _Facts | None:
        """What the newest materialization states, if it was made after `since`, in epoch seconds.

        None if there is none, or it states nothing.
        """
        event = self._newest(stage)
        new = event is not None and event.timestamp >= since
        return read_facts(event.asset_materialization if new else None, kind)

    def rejected(self, since: float = 0) -> RejectedRows | None:
        """Which rows of the newest data are in quarantine; None if none are, else as above."""
        found = self.newest_facts("processed_data", RejectedRows, since)
        return found if found and found.rejected_rows else None

    def _newest(self, stage: Stage) -> dg.EventLogEntry | None:
        return self.instance.get_latest_materialization_event(asset_key(self.model, stage))

    def _champion_moved(self) -> str | None:
        """Why the newest evaluation decides nothing any more; None if it does, or there is none."""
        facts = self.newest_facts("evaluation_report", EvaluationFacts)
        if facts is None:
            return None
        with open_resources(
            self.definitions, "tracking", "ledger", instance=self.instance
        ) as built:
            champion = champion_of(self.model, built.tracking, built.ledger)
        now = champion.uri if champion else "none"
        if now in (facts.champion, facts.model_uri):
            return None
        return f"the champion is {now}, and {facts.champion} was when it was made"

    def _restore(self, promotions: Promotions) -> None:
        """Serve what the ledger says; a champion that cannot serve must not stop its successor."""
        try:
            if endpoint := promotions.restore():
                version = endpoint.model_version
                for event in events(self.instance, endpoint, version):
                    self.instance.report_runless_asset_event(event)
                say(f"{self.model}: version {version} serves, as the ledger says")
        except DeploymentError as err:
            said = "the ledger's champion does not serve, and this run goes on without it"
            say(f"{self.model}: {said}: {err}", error=True)

    def materialize(self, keys: Sequence[dg.AssetKey] = (), job: str = "training") -> bool:
        """Run one of its jobs here, of all assets or of these; False if a step failed."""
        wait_for_others(self.instance, pool(self.model), self._say_who_runs, time.sleep)
        result = execute_here(
            self.definitions.resolve_job_def(f"{self.model}_{job}"),
            self.instance,
            (self.definitions.resources or {})["tracking"],
            assets=keys,
            tags={"mlops/launched_by": "mlops"},
            run_config={"loggers": {"progress": {}}},
        )
        for line in failed_steps(result.all_events):
            say(line, error=True)
        settle_runs(self.definitions, self.instance)
        return result.success

    def _say_who_runs(self, other: dg.DagsterRun) -> None:
        say(said_who_runs(self.model, other))

    def _predict_once(self, deployment: EndpointDeployer) -> None:
        endpoint = deployment.status(self.model)
        if endpoint is not None and endpoint.entity is None:
            say(answer_by_features(deployment, endpoint))
            return
        facts = self.newest_facts("features", FeatureFacts)
        if facts is None:
            raise MlopsError(
                f"{self.model}/features was never materialized; run `mlops run {self.model}`"
            )
        # Not logged: nobody asked, and a window that holds no other request is no traffic.
        good, _ = answers(deployment, self.model, [facts.newest_entity], logged=False)
        say("\n".join(good))


@contextmanager
def models_of_a_run(models: Sequence[str]) -> Generator[tuple[dg.Definitions, list[ModelRun]]]:
    """What a verb that runs models needs; the runs of killed processes are ended first."""
    runs_at_once()  # a setting of the environment that is wrong is said before anything runs
    require_engine()
    definitions = load_definitions()
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        with exclusive(
            home() / "run.lock"
        ):  # processes that race to make tables break each other's
            instance = stack.enter_context(dg.DagsterInstance.get())
            settle_runs(definitions, instance)
        chosen = chosen_models(definitions, models)
        yield definitions, [ModelRun(definitions, instance, model) for model in chosen]


def failed_models(chosen: Sequence[ModelRun], do: Callable[[ModelRun], bool]) -> list[str]:
    """The models of which `do` went wrong, after naming them."""
    failed = [one.model for one in chosen if not run_alone(one, do)]
    if failed:
        say(f"failed: {', '.join(failed)}", error=True)
    return failed


def run_alone(one: ModelRun, do: Callable[[ModelRun], bool]) -> bool:
    """Whether `do` went well, by us alone of all commands; others may be at other models."""
    terminal.doing(one.model)
    with alone(one.model):
        began = time.monotonic()
        good = survived(one.model, partial(do, one))
    if (took := time.monotonic() - began) >= _WORTH_SAYING_SECONDS:
        say(f"{one.model}: {'done' if good else 'ended'} after {took:.0f} s")
    return good


def settle_runs(definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    """End the runs of killed processes, which the last one may have been, and say so."""
    for run in end_dead_runs(instance):
        say(f"run {run.run_id[:8]} of {run.job_name} was killed; it is ended", error=True)
    with open_resources(definitions, "tracking", instance=instance) as built:
        settle(instance, built.tracking.runs)
