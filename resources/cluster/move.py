"""Bringing one endpoint of a cluster to another generation, or back to the one before.

The caller holds the endpoint's lock.

What is applied is made by `resources.cluster.objects`, watched by `resources.cluster.rollout`.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from mlops_assets.errors import DeploymentError
from mlops_assets.records.serving import Manifest, RecordedRequest, Servable
from mlops_assets.runtime.interrupts import uninterrupted
from resources.cluster.api import ClusterApi
from resources.cluster.applied import (
    Applied,
    prune_generations,
    read_applied,
    write_applied,
    write_generation,
)
from resources.cluster.kinds import KINDS, Target
from resources.cluster.objects import Plan, labels_of
from resources.cluster.rollout import wait
from resources.endpoints.client import EndpointClient
from resources.endpoints.folder import EndpointFolder

_SETTLE_SECONDS = 60.0
_ANSWERS_IN_A_ROW = 5
"""So many new connections must reach the new pods before they are examined."""
_PAUSE_SECONDS = 0.1


class Move:
    """From what is applied to what is planned."""

    def __init__(
        self,
        target: Target,
        api: ClusterApi,
        folder: EndpointFolder,
        plan: Plan,
        ask: Callable[[str], EndpointClient],
    ) -> None:
        """Examine the endpoint through the client that `ask` gives of an address."""
        self._kind, self._target = KINDS[target], target
        self._api, self._folder, self._plan, self._ask = api, folder, plan, ask

    def to(
        self,
        wanted: Manifest,
        servable: Servable,
        recorded: Sequence[RecordedRequest],
        confirm: Callable[[], None],
    ) -> None:
        """Serve and verify `wanted`, or put back what served before and raise.

        Raises:
            DeploymentError: Why, and what serves now.
        """
        endpoint, before = self._folder.path, read_applied(self._folder.path)
        applied = self._applied()
        with self._put_back(applied, before, wanted):
            write_generation(endpoint, wanted)
            self._reach(applied)
            applied = applied.model_copy(update={"url": self._kind.url(self._api, self._plan)})
            self._examine(applied, wanted, servable, recorded)
        with uninterrupted():  # what is confirmed also stays
            with self._put_back(applied, before, wanted):
                confirm()
            write_applied(endpoint, applied)
            self._folder.mark_verified(wanted)
        self._delete_others(before, applied)
        self._folder.prune()
        prune_generations(endpoint)

    @contextmanager
    def _put_back(
        self, failed: Applied, before: Applied | None, wanted: Manifest
    ) -> Generator[None]:
        """Apply what was applied before if the body raises, also when the run is canceled."""
        try:
            yield
        except BaseException as err:
            with uninterrupted():
                outcome = self._back(failed, before)
            if not isinstance(err, DeploymentError):
                raise
            raise type(err)(
                f"{wanted.model_name} version {wanted.model_version} was not deployed: {err} "
                f"{outcome}"
            ) from err

    def _applied(self) -> Applied:
        cluster = self._plan.cluster
        return Applied(
            target=self._target,
            namespace=cluster.namespace,
            url="",
            generation=self._plan.generation,
            replicas=cluster.replicas.min,
            start_timeout=cluster.start_timeout,
            scheduling_timeout=cluster.scheduling_timeout,
            objects=self._kind.objects(self._plan),
        )

    def _reach(self, applied: Applied) -> None:
        """Apply the objects, and wait until their pods answer instead of all others.

        Raises:
            DeploymentError: They will not.
        """
        kind, api, name = KINDS[applied.target], self._api, self._plan.name
        for wanted in applied.objects:
            kind.apply(api, wanted, applied.replicas)
        wait(
            api,
            labels_of(self._plan.model),
            applied.generation,
            lambda pods: kind.serves(api, applied, name, pods),
            find=lambda: kind.trouble(api, name),
            timeout=applied.start_timeout,
            patience=applied.scheduling_timeout,
            late=kind.late,
        )

    def _examine(
        self,
        applied: Applied,
        wanted: Manifest,
        servable: Servable,
        recorded: Sequence[RecordedRequest],
    ) -> None:
        client = self._ask(applied.url)
        _settle(client, applied.generation)
        client.check(
            servable, recorded, max_rows=wanted.max_rows, max_body_bytes=wanted.max_body_bytes
        )

    def _back(self, failed: Applied, before: Applied | None) -> str:
        """Apply again what was applied before; says how that went."""
        good = self._folder.verified()
        try:
            self._delete_others(failed, before)
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
    """Wait until the Service sends every new connection to the new pods.

    Raises:
        DeploymentError: It does not answer, or still sends some to others.
    """
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
