"""The launcher of runs as pods: that of dagster-k8s, with what it leaves out.

A run ends with all of its pods, and one that the cluster ended says why. An API server that is away
for a while fails no run. `dagster.yaml` of the cluster names it.
"""

from datetime import timedelta

import dagster as dg
from dagster_k8s import K8sRunLauncher  # noqa: TID253  whoever names this module wants its pods

from mlops_assets.errors import ClusterUnavailableError
from resources.cluster.api import ClusterApi, Object
from resources.cluster.runs.ends import pods_of, why_ended, why_waiting
from resources.dagster.internals import CheckRunHealthResult, LaunchRunContext, WorkerStatus

_RUN, _COMPONENT, _WORKER = "dagster/run-id", "app.kubernetes.io/component", "run_worker"
"""Labels of every Job of a run, and of the one that is the run's own."""


class ClusterRunLauncher(K8sRunLauncher):
    """Starts a Job for each run; see the module."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """See `RunLauncher`; waits for an API server that is away."""
        self._jobs(self._api().patient(), context.dagster_run.run_id)
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """See `RunLauncher`; the steps are told at once, whatever has become of the run's pod."""
        api = self._api().patient()
        jobs = self._jobs(api, run_id)
        ended = bool(super().terminate(run_id))
        _delete(api, [job for job in jobs if not (_is_worker(job) or _has_ended(job))])
        return ended

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """See `RunLauncher`; a run goes on while nobody can be asked about it."""
        found = super().check_run_worker_health(run)
        if found.status != WorkerStatus.UNKNOWN:
            return found
        try:
            jobs = self._jobs(self._api(), run.run_id)
        except ClusterUnavailableError as err:
            return CheckRunHealthResult(WorkerStatus.RUNNING, str(err), transient=True)
        if any(map(_is_worker, jobs)):
            return CheckRunHealthResult(WorkerStatus.RUNNING, "It can be asked again.")
        return found

    def get_run_worker_debug_info(
        self, run: dg.DagsterRun, include_container_logs: bool | None = True
    ) -> str | None:
        """Why the run's pod ended or did not start, and what Dagster tells of it.

        The daemon asks right before it ends a run that cannot end by itself; so all pods of the
        run, which nobody would look after, are ended too.
        """
        api = self._api().patient()
        jobs = self._jobs(api, run.run_id)
        why = [_why(api, job) for job in jobs if _is_worker(job)]
        told = super().get_run_worker_debug_info(run, include_container_logs)
        _delete(api, [job for job in jobs if not _has_ended(job)])
        return "\n".join(filter(None, [*why, told]))

    def _api(self) -> ClusterApi:
        return ClusterApi.connect(self.job_namespace)

    def _jobs(self, api: ClusterApi, run_id: str) -> list[Object]:
        return api.labelled("Job", {_RUN: run_id})


def _is_worker(job: Object) -> bool:
    return job["metadata"]["labels"].get(_COMPONENT) == _WORKER


def _has_ended(job: Object) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    ends = ("Complete", "Failed")
    return any(one["type"] in ends and one["status"] == "True" for one in conditions)


def _why(api: ClusterApi, job: Object) -> str:
    name = job["metadata"]["name"]
    if _has_ended(job):
        return why_ended(pods_of(api, name))
    return why_waiting(api, job, timedelta(0))


def _delete(api: ClusterApi, jobs: list[Object]) -> None:
    for job in jobs:
        api.delete("Job", job["metadata"]["name"])
