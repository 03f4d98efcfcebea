"""Bringing one endpoint of a cluster to another generation, or back to the one before.

The caller holds the endpoint's lock.

What is applied is made by `resources.cluster.objects`, watched by `resources.cluster.rollout`.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.serving import Manifest
from resources.cluster.api import ClusterApi
from resources.cluster.applied import (
    Applied,
    generation_file,
    prune_generations,
    read_applied,
    write_applied,
    write_generation,
)
from resources.cluster.kinds import KINDS, KindName
from resources.cluster.objects import Plan
from resources.cluster.rollout import ends, has_ended, serves, wait
from resources.cluster.routes import wait_accepted
from resources.cluster.trial.trial import ClusterTrial
from resources.endpoints.client import EndpointClient
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.rollout.handover import Handover

_SETTLE_SECONDS = 60.0
_ANSWERS_IN_A_ROW = 5
"""So many new connections must reach the new pods before they are examined."""
_PAUSE_SECONDS = 0.1


class ClusterHandover(Handover):
    """From what is applied to what is planned."""

    def __init__(
        self,
        folder: EndpointFolder,
        kind: KindName,
        api: ClusterApi,
        plan: Plan,
        ask: Callable[[str], EndpointClient],
        trial: ClusterTrial | None = None,
    ) -> None:
        """Examine the endpoint through the client that `ask` gives of an address.

        Where there is a trial, the version serves only after it.
        """
        super().__init__(folder)
        self._kind: KindName = kind
        self._api, self._plan, self._ask = api, plan, ask
        self._before = read_applied(folder.path)
        self._applied, self._trial = self._planned(), trial

    def _planned(self) -> Applied:
        """What is applied by the plan."""
        cluster = self._plan.cluster
        return Applied(
            target=self._kind,
            namespace=cluster.namespace,
            url="",
            generation=self._plan.generation,
            replicas=cluster.replicas.min,
            start_timeout=cluster.start_timeout,
            scheduling_timeout=cluster.scheduling_timeout,
            objects=KINDS[self._kind].objects(self._plan),
        )

    def _serve(
        self, wanted: Manifest, settings: RolloutSettings
    ) -> tuple[Manifest, EndpointClient]:
        good = self._folder.verified()
        if self._trial is not None and self._before is not None and good is not None:
            self._stand_as_before(self._before)
            self._trial.run(good, wanted)
            wanted = wanted.model_copy(update={"generation": self._trial.generation + 1})
            file = generation_file(self._folder.path, wanted.generation)
            self._plan = replace(self._plan, generation=wanted.generation, manifest_file=file)
            self._applied = self._planned()
        write_generation(self._folder.path, wanted)
        self._reach(self._applied)
        if self._trial is not None:
            self._trial.take_away(self._applied)
        url = KINDS[self._applied.target].url(self._api, self._plan)
        self._applied = self._applied.model_copy(update={"url": url})
        client = self._ask(url)
        _settle(client, wanted.generation)
        return wanted, client

    def _keep(self, wanted: Manifest) -> None:
        write_applied(self._folder.path, self._applied)
        super()._keep(wanted)

    def _tidy(self) -> None:
        self._delete_others(self._before, self._applied)
        super()._tidy()
        prune_generations(self._folder.path)

    def _reach(self, applied: Applied) -> None:
        """Apply the objects, and wait until their pods answer instead of all others."""
        kind, api, name = KINDS[applied.target], self._api, self._plan.name
        for wanted in applied.objects:
            kind.apply(api, wanted, applied.replicas)
        if any(one["kind"] == "HTTPRoute" for one in applied.objects):
            wait_accepted(api, name)
        wait(
            api,
            self._plan.labels,
            applied.generation,
            lambda pods: kind.serves(api, applied, name, pods),
            find=lambda: kind.trouble(api, name),
            timeout=applied.start_timeout,
            patience=applied.scheduling_timeout,
            late=kind.late,
        )

    def _stand_as_before(self, before: Applied) -> None:
        """Take back what was begun by a process that was killed after its trial.

        Else the next trial is against that. A version that stands alone is left as it is: the new
        one may be there to mend it.
        """
        pods = self._api.labelled("Pod", self._plan.labels)
        alive = [pod for pod in pods if not (has_ended(pod) or ends(pod))]
        if not all(serves(pod, before.generation) for pod in alive):
            self._reach(before)

    def _back(self, reason: str) -> str:
        """See `Handover._back`: apply again what was applied before."""
        before, good = self._before, self._folder.verified()
        try:
            if self._trial is not None and before is not None:
                self._trial.take_away(before)
            self._delete_others(self._applied, before)
            if before is None or good is None:
                self._plan.manifest_file.unlink(missing_ok=True)
                return "No version was served before; nothing is left in the cluster."
            self._reach(before)
            _settle(self._ask(before.url), before.generation)
        except DeploymentError as err:
            return f"What served before could not be put back either: {err}"
        return f"Version {good.model_version} serves again."

    def _delete_others(self, some: Applied | None, kept: Applied | None) -> None:
        """Delete the objects of `some` that are none of `kept`."""
        keys = kept.keys if kept else []
        for kind, name in some.keys if some else []:
            if (kind, name) not in keys:
                self._api.delete(kind, name)


def _settle(client: EndpointClient, generation: int) -> None:
    """Wait until the Service sends every new connection to the new pods, or raise."""
    deadline, row = time.monotonic() + _SETTLE_SECONDS, 0
    while row < _ANSWERS_IN_A_ROW:
        try:
            served, error = client.model()["generation"], None
        except DeploymentError as err:
            served, error = None, err
        row = row + 1 if served == generation else 0
        if time.monotonic() > deadline:
            raise error or DeploymentError(
                f"{client.url} serves generation {served}, though only pods of {generation} are "
                "there; does something else answer at that address?"
            )
        time.sleep(_PAUSE_SECONDS)
