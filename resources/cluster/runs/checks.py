"""Which checks run in the pod of their asset: a pod costs seconds, and has the asset's memory.

Dagster's executor starts a check as a step of its own when its asset has succeeded. Here the pod of
the asset goes on with its checks, and what they report is handed to the executor when it has come
to start them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from resources.dagster.internals import ExecutionPlan


def hosts_of(plan: "ExecutionPlan") -> dict[str, str]:
    """Check's step -> its asset's, of all that run here and need nothing but what that had, too."""
    steps = plan.get_steps_to_execute_in_topo_order()
    makers = {
        output.properties.asset_key: step.key
        for step in steps
        for output in step.step_outputs
        if output.properties.asset_key
    }
    before: dict[str, set[str]] = {}
    hosts = {}
    for step in steps:
        needed = {key for given in step.step_inputs for key in given.dependency_keys}
        before[step.key] = needed.union(*(before.get(key, set()) for key in needed))
        checked = {output.properties.asset_check_key for output in step.step_outputs}
        assets = {check.asset_key if check else None for check in checked}
        maker = makers.get(assets.pop()) if len(assets) == 1 else None
        if maker not in (None, step.key) and needed <= before[maker] | {maker}:
            hosts[step.key] = maker
    return hosts


class HostedChecks:
    """Of one run: what the pods of assets report of checks, until the executor asks for it."""

    def __init__(self) -> None:
        self.hosts: dict[str, str] = {}
        """See `hosts_of`, of those whose asset was started from here."""
        self._started: set[str] = set()
        self._held: list[dg.DagsterEvent] = []

    def start(self, step: str, hosts: dict[str, str]) -> list[str]:
        """The steps of the pod for a step, first of all itself; none for a check that has one."""
        if step in self.hosts and step not in self._started:
            self._started.add(step)
            return []
        self.hosts.pop(step, None)  # a check that is started again has a pod of its own
        return [step, *self._host(step, hosts)]

    def take_up(self, step: str, hosts: dict[str, str], *, alone: bool) -> None:
        """A step that another process started, `alone` in its pod or with its asset."""
        self._host(step, hosts)
        if step in hosts and not alone:
            self.hosts[step] = hosts[step]
            self._started.add(step)

    def _host(self, step: str, hosts: dict[str, str]) -> list[str]:
        checks = [check for check, host in hosts.items() if host == step]
        self.hosts |= dict.fromkeys(checks, step)
        return checks

    def sift(self, events: Sequence[dg.DagsterEvent]) -> list[dg.DagsterEvent]:
        """What the executor may know by now, in order."""
        found, self._held = [*self._held, *events], []
        known = []
        for event in found:
            step = event.step_key
            waits = step in self.hosts and step not in self._started
            (self._held if waits else known).append(event)
        return known
