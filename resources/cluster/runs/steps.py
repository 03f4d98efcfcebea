"""Steps as pods of a cluster, as dagster-k8s starts them, with what it leaves out.

The checks of an asset run in its pod. A pod that the cluster ended, or that will never start, says
why and what to do; one that was taken away with its node is started again, also where it was told
to end before, as by the drain of a node. While the API server is away, nothing is given up.

The process that watches them may be another one than the one that started them: that of a run which
was resumed (`resources.cluster.runs.launcher`) first hears all that was told before.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.errors import ClusterUnavailableError, DeploymentError
from resources.cluster.api import ClusterApi
from resources.cluster.runs.checks import HostedChecks, hosts_of
from resources.cluster.runs.ends import (
    pods_of,
    was_taken,
    why_ended,
    why_failed,
    why_silent,
    why_waiting,
)
from resources.dagster.cancellation import Cancellation, is_by_interrupt
from resources.dagster.executors import changed
from resources.dagster.internals import (
    for_steps,
    healthy,
    plan_of,
    request_retry,
    unhealthy,
    with_step_handler,
    without_delay,
)

if TYPE_CHECKING:
    from resources.dagster.internals import CheckStepHealthResult, StepHandlerContext

_RESUMED = 3
"""So often a step is started again whose pod was taken away."""


def in_pods(executor: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """The same executor of dagster-k8s, with all that this module says."""
    return changed(executor, _changed)


def _changed(created: dg.Executor) -> dg.Executor:
    return with_step_handler(created, _Pods)


class _Pods:
    """A step handler of Dagster's, over that of dagster-k8s."""

    def __init__(self, handler: Any) -> None:
        self._handler, self._checks = handler, HostedChecks()
        self._run: Cancellation | None = None
        self._known: set[str] = set()
        """Steps that were started from here, or found started by a process before."""
        self._drained: set[str] = set()
        """Steps that were told to end, though not by whoever wants the run to end."""
        handler._get_step_key = _step  # it refuses more than one

    @property
    def name(self) -> str:
        return self._handler.name

    def launch_step(self, context: "StepHandlerContext") -> Iterator[dg.DagsterEvent]:
        self._known.add(_step(context))
        steps = self._checks.start(_step(context), hosts_of(plan_of(context)))
        if not steps:
            return
        api, job = _api(context).patient(), self._job(context)
        if api.get("Job", job) is None:  # else it is that of this very attempt
            again = not self._drained.isdisjoint(steps)
            yield from self._handler.launch_step(for_steps(context, steps, ended_before=again))
        if self._is_canceled(context.instance, context.dagster_run.run_id):
            api.delete("Job", job)  # whoever ends the run may have looked for it too early

    def sift(
        self, instance: dg.DagsterInstance, run: str, events: Sequence[dg.DagsterEvent]
    ) -> list[dg.DagsterEvent]:
        """What the executor may know by now; which steps it skips it knows itself.

        Not the failure of a step that was interrupted though nobody wants the run to end: what its
        pod says decides, which `check_step_health` reads.
        """
        told = [event for event in events if not event.is_step_skipped]
        told = [event for event in told if not self._is_drained(instance, run, event)]
        return self._checks.sift(_without_past_delays(told))

    def _is_drained(self, instance: dg.DagsterInstance, run: str, event: dg.DagsterEvent) -> bool:
        if not event.is_step_failure or not is_by_interrupt(event):
            return False
        if event.step_key is None or self._is_canceled(instance, run):
            return False
        self._drained.add(event.step_key)
        return True

    def _is_canceled(self, instance: dg.DagsterInstance, run: str) -> bool:
        self._run = self._run or Cancellation(instance, run)
        return self._run.asked()

    def check_step_health(self, context: "StepHandlerContext") -> "CheckStepHealthResult":
        self._take_up(context)
        hosted = self._hosted(context)
        found = self._handler.check_step_health(hosted)
        try:
            if not found.is_healthy:
                return self._explained(context, hosted, str(found.unhealthy_reason))
            waits = self._waits(hosted)
        except ClusterUnavailableError:
            raise  # the executor asks again, and says so
        except DeploymentError as err:
            said = f"{found.unhealthy_reason} Its pod cannot be asked why: {err}"
            return found if found.is_healthy else unhealthy(said)
        return unhealthy(waits) if waits else found

    def terminate_step(self, context: "StepHandlerContext") -> Iterator[dg.DagsterEvent]:
        yield from self._handler.terminate_step(self._hosted(context))

    def _take_up(self, context: "StepHandlerContext") -> None:
        """What a process before this one started, when it is asked for the first time."""
        step, hosts = _step(context), hosts_of(plan_of(context))
        if step not in self._known:
            job = _api(context).patient().get("Job", self._job(context))
            self._checks.take_up(step, hosts, alone=job is not None)
            self._known.add(step)

    def _hosted(self, context: "StepHandlerContext") -> "StepHandlerContext":
        """The same for the step whose pod it is."""
        host = self._checks.hosts.get(_step(context))
        return for_steps(context, [host]) if host else context

    def _job(self, context: "StepHandlerContext") -> str:
        return self._handler._get_k8s_step_job_name(context)

    def _explained(
        self, context: "StepHandlerContext", hosted: "StepHandlerContext", said: str
    ) -> "CheckStepHealthResult":
        """Why it failed; healthy again where it is started anew."""
        api, job = _api(hosted), self._job(hosted)
        if api.get("Job", job) is None:
            return unhealthy(said)
        pods = pods_of(api, job)
        why = f"{said} {why_ended(pods, _step(hosted))}"
        if was_taken(pods) and request_retry(context, why, _RESUMED):
            return healthy()
        return unhealthy(f"{said} {why_failed(pods, _step(hosted))}".rstrip())

    def _waits(self, hosted: "StepHandlerContext") -> str:
        """Why it will never start; then it must not do so after all."""
        patience = timedelta(seconds=hosted.instance.run_monitoring_start_timeout_seconds)
        api = _api(hosted)
        job = api.get("Job", self._job(hosted))
        why = (why_silent(job) or why_waiting(api, job, patience)) if job else ""
        if why:
            for _ in self._handler.terminate_step(hosted):
                pass
        return why


def _without_past_delays(events: Sequence[dg.DagsterEvent]) -> list[dg.DagsterEvent]:
    """The same, but for how long to wait before a step is tried again that was so already."""
    known, started = [], set()
    for event in reversed(events):
        if event.is_step_up_for_retry and event.step_key in started:
            known.append(without_delay(event))
        else:
            known.append(event)
        if event.is_step_restarted:
            started.add(event.step_key)
    return known[::-1]


def _step(context: "StepHandlerContext") -> str:
    return (context.execute_step_args.step_keys_to_execute or [""])[0]


def _api(context: "StepHandlerContext") -> ClusterApi:
    launcher: Any = context.instance.run_launcher
    return ClusterApi.connect(launcher.job_namespace)
