"""A version on trial in a cluster: pods of its own, which get a share of the requests, or copies.

By the weights of a Gateway's route; where there is no gateway, by the number of pods behind the one
Service, so coarsely. The pods count by themselves (`counting`), and the cluster keeps both versions
running whatever becomes of this process: `trial.json` says to the next one how far the trial has
come, to go on with it or to end it.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mlops_assets.blocks.cluster import ReplicaSettings
from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import TRIAL_FILE
from mlops_assets.records.rollout import Candidate, Sighting, TrialReport
from mlops_assets.records.serving import Manifest
from resources.cluster.api import ClusterApi
from resources.cluster.applied import Applied, generation_file, write_generation
from resources.cluster.kinds import KINDS, Kind
from resources.cluster.objects import PRE_STOP_SECONDS, Plan
from resources.cluster.rollout import trouble_of, wait
from resources.cluster.routes import http_route, wait_accepted
from resources.cluster.trial.counting import PodCounts, restarts
from resources.cluster.trial.state import (
    TrialState,
    read_trial,
    watched_at,
    write_end,
    write_trial,
)
from resources.endpoints.client import EndpointClient
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.rollout.trial import LOOK_SECONDS, Trial

_KILLED = "the process that waited for the verdict was killed"
_STEPS = 100
"""At most so many in a trial: the pods know a step by the trial's generation and its number."""


@dataclass(frozen=True)
class Ground:
    """Where a trial takes place."""

    api: ClusterApi
    plan: Plan
    """Of the version that shall serve, if it passes."""
    before: Applied
    """What serves meanwhile."""
    ask: Callable[[str], EndpointClient]

    @property
    def kind(self) -> Kind:
        """Of the objects of both."""
        return KINDS[self.before.target]

    @property
    def routed(self) -> bool:
        """Whether a gateway shares the requests out."""
        return self.plan.cluster.gateway is not None

    def require_same_service(self) -> None:
        """Raise if the Service, by which both versions are found, changes with this deployment."""
        stands, wanted = (
            [one for one in objects if one["kind"] == "Service"]
            for objects in (self.before.objects, self.kind.objects(self.plan))
        )
        if stands != wanted:
            raise DeploymentError(
                f"the Service {self.plan.name} changes with this deployment (its port, or since an "
                "older release made it), and a trial needs it as it is; deploy once with "
                "deployment.rollout.strategy: all_at_once"
            )

    def pods_now(self) -> int:
        """How many pods the version that serves has."""
        deployment = self.api.get("Deployment", self.plan.name)
        return deployment["spec"].get("replicas", 1) if deployment else self.before.replicas


class ClusterTrial(Trial):
    """By pods of two versions."""

    def __init__(self, folder: EndpointFolder, settings: RolloutSettings, ground: Ground) -> None:
        """Go on with the trial that `trial.json` tells of, if it is of the same versions."""
        super().__init__(folder, settings)
        self._ground, self._state = ground, read_trial(folder.path)
        self._resumed = self._state is not None
        role = self._state.role if self._state else self._role
        self._plan = replace(ground.plan, role=role)
        self._counts = tuple(
            PodCounts(ground.api, plan.labels, ground.ask) for plan in (ground.plan, self._plan)
        )
        if self._state:
            self._plan = self._planned(self._state.generation, 1)
            self._seen = [*self._state.seen]
            watched = watched_at(folder.path) - time.monotonic()
            self._began = self._state.began - watched
            self._step_began = self._state.step_began - watched

    @property
    def generation(self) -> int:
        """Of the candidate's pods."""
        return self._plan.generation

    def goes_on(self, wanted: Manifest) -> bool:
        """Whether what was left is the trial of that version by these settings."""
        left = self._state
        if left is None or left.reported or self._settings.strategy != left.role:
            return False
        found = (left.to_version, left.weights, left.from_generation)
        return found == (wanted.model_version, self._weights, self._ground.before.generation)

    def run(self, good: Manifest, wanted: Manifest) -> None:
        """See `Trial.run`."""
        if self._state is None:
            self._plan = self._planned(wanted.generation, 1)
        numbers = {"role": self._plan.role, "generation": self._plan.generation}
        write_generation(self._folder.path, wanted.model_copy(update=numbers))
        super().run(good, wanted)

    def end_left(self, good: Manifest) -> None:
        """Take away what a process that is gone has left, and write down how it ended."""
        left = self._state
        if left is None:
            return
        self.take_away(self._ground.before)
        if not left.reported:
            ended = left.model_copy(update={"seen": tuple(self._seen)})
            seconds = max(0.0, time.monotonic() - self._began)
            write_end(self._folder, ended, good, _KILLED, seconds)

    def take_away(self, serving: Applied) -> None:
        """Nothing of the candidate stays; all requests go to what `serving` says."""
        state, api = self._state, self._ground.api
        if state is None:
            return
        if state.routed:
            self._route_back(serving)
            time.sleep(PRE_STOP_SECONDS)  # until every proxy of the gateway knows
            self._count()
        for kind, name in state.keys:
            api.delete(kind, name)
        if not state.routed:
            self._count_the_last()
        self._state = None
        (self._folder.path / TRIAL_FILE).unlink(missing_ok=True)

    def _route_back(self, serving: Applied) -> None:
        routes = [one for one in serving.objects if one["kind"] == "HTTPRoute"]
        for one in routes:
            self._ground.api.apply(one)
        if not routes:
            self._ground.api.delete("HTTPRoute", self._ground.plan.name)

    def _count_the_last(self) -> None:
        """What pods that end still answer, until their nodes have taken them out."""
        ends = time.monotonic() + PRE_STOP_SECONDS
        while self._counts[1].pods() and time.monotonic() < ends:
            self._count()
            time.sleep(LOOK_SECONDS)

    def _begin(self, good: Manifest, candidate: Candidate) -> None:
        """See `Trial._begin`."""
        resumed, self._resumed = self._resumed, False
        self._plan = self._planned(self._plan.generation, self._pods_for(candidate))
        if not resumed:
            self._seen.append(Sighting())
        self._state = self._stands(good, candidate)
        write_trial(self._folder.path, self._state)  # before anything is applied
        self._reach()
        if self._ground.routed:
            self._share(candidate)
        for counts in self._counts:
            counts.begin(self._step)
        if not resumed:
            self._step_began = time.monotonic()

    @property
    def _step(self) -> int:
        return self._plan.generation * _STEPS + len(self._seen)

    def _pods_for(self, candidate: Candidate) -> int:
        """So many that none has more to do than one of the version that serves."""
        there = self._ground.pods_now()
        if candidate.role == "shadow":
            return there
        more = candidate.weight / (1 - candidate.weight) * there
        return max(1, math.ceil(more - 1e-9) if self._ground.routed else round(more))

    def _planned(self, generation: int, pods: int) -> Plan:
        plan = self._ground.plan
        replicas = ReplicaSettings(min=pods, max=pods)
        return replace(
            plan,
            role=self._plan.role,
            generation=generation,
            manifest_file=generation_file(self._folder.path, generation),
            cluster=plan.cluster.model_copy(update={"replicas": replicas}),
        )

    def _reach(self) -> None:
        """Apply the candidate's objects, and wait until its pods answer."""
        api, kind, plan = self._ground.api, self._ground.kind, self._plan
        pods = plan.cluster.replicas.min
        numbers = {"generation": plan.generation, "replicas": pods}
        wanted = self._ground.before.model_copy(update=numbers)
        for one in kind.objects(plan):
            kind.apply(api, one, pods)
        wait(
            api,
            plan.labels,
            plan.generation,
            lambda found: kind.serves(api, wanted, plan.name, found),
            find=lambda: kind.trouble(api, plan.name),
            timeout=plan.cluster.start_timeout,
            patience=plan.cluster.scheduling_timeout,
            late=kind.late,
        )

    def _share(self, candidate: Candidate) -> None:
        kind, plan, weight = self._ground.kind, self._ground.plan, candidate.weight
        if candidate.role == "shadow":
            wanted = http_route(plan, kind.backend(plan), copies=kind.backend(self._plan))
        else:
            shares = kind.backend(plan, 1 - weight), kind.backend(self._plan, weight)
            wanted = http_route(plan, *shares)
        self._ground.api.apply(wanted)
        wait_accepted(self._ground.api, plan.name)

    def _named(self, candidate: Candidate) -> str:
        """See `Trial._named`; without a gateway, the share that the pods make."""
        if self._ground.routed or candidate.role == "shadow":
            return super()._named(candidate)
        pods = self._plan.cluster.replicas.min
        total = pods + self._ground.pods_now()
        return f"canary with {pods / total:.0%} of the requests ({pods} of {total} pods)"

    def _sighting(self) -> Sighting:
        """See `Trial._sighting`."""
        primary, candidate = (counts.counted(self._step) for counts in self._counts)
        return Sighting(primary=primary, candidate=candidate)

    def _look(self) -> str | None:
        """See `Trial._look`: a pod that ended may have answered nobody, and counts no more."""
        if self._state is not None:
            self._state = self._state.model_copy(update={"seen": self._numbers()})
            write_trial(self._folder.path, self._state)
        for pod in self._counts[1].pods():
            if trouble := trouble_of(pod, self._plan.cluster.scheduling_timeout):
                return str(trouble)
            if restarts(pod):
                return f"the process of its pod {pod['metadata']['name']} ended"
        return None

    def _end(self, good: Manifest) -> None:
        """See `Trial._end`."""
        self.take_away(self._ground.before)

    def _report(self, good: Manifest, candidate: Candidate, reason: str) -> TrialReport:
        report = super()._report(good, candidate, reason)
        if self._state is not None:
            self._state = self._state.model_copy(update={"reported": True})
            write_trial(self._folder.path, self._state)
        return report

    def _stands(self, good: Manifest, candidate: Candidate) -> TrialState:
        """Of a step that begins."""
        now = time.time() - time.monotonic()
        objects = self._ground.kind.objects(self._plan)
        return TrialState(
            role=candidate.role,
            from_version=good.model_version,
            from_generation=self._ground.before.generation,
            to_version=candidate.model_version,
            generation=self._plan.generation,
            weights=self._weights,
            began=now + self._began,
            step_began=now + self._step_began,
            seen=self._numbers(),
            keys=tuple((one["kind"], one["metadata"]["name"]) for one in objects),
            routed=self._ground.routed,
        )

    def _numbers(self) -> tuple[Sighting, ...]:
        """What was seen, without the times and scores, which nobody judges again."""
        none: dict[str, object] = {"seconds": {}, "scores": {}}
        return tuple(
            Sighting(
                primary=seen.primary.model_copy(update=none),
                candidate=seen.candidate.model_copy(update=none),
            )
            for seen in self._seen
        )
