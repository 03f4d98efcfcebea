"""The launcher of runs as pods: that of dagster-k8s, with what it leaves out.

A run goes on when the cluster has ended its pod: in a new one if its steps have pods of their own,
else as another run, from the step that was interrupted. A run that is ended ends with all of its
pods. An API server that is away for a while fails no run. `dagster.yaml` of the cluster names it.
"""

from datetime import timedelta

import dagster as dg
from dagster_k8s import K8sRunLauncher  # noqa: TID253  whoever names this module wants its pods
from dagster_k8s.job import get_job_name_from_run_id  # noqa: TID253

from mlops_assets.errors import ClusterUnavailableError
from resources.cluster.api import ClusterApi, Object
from resources.cluster.runs.ends import pods_of, why_ended, why_failed, why_waiting
from resources.dagster.internals import (
    MAX_RETRIES_TAG,
    CheckRunHealthResult,
    LaunchRunContext,
    ResumeRunContext,
    WorkerStatus,
)

_RUN, _COMPONENT, _WORKER = "dagster/run-id", "app.kubernetes.io/component", "run_worker"
"""Labels of every Job of a run, and of the one that is the run's own."""
_DELETED = "somebody deleted its Job"


class ClusterRunLauncher(K8sRunLauncher):
    """Starts a Job for each run; see the module."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """See `RunLauncher`; waits for an API server that is away."""
        self._jobs(self._api().patient(), context.dagster_run.run_id)
        super().launch_run(context)

    def resume_run(self, context: ResumeRunContext) -> None:
        """See `RunLauncher`; a run whose steps had no pods of their own ends, and is retried."""
        run, api = context.dagster_run, self._api().patient()
        jobs = self._jobs(api, run.run_id)
        workers = sorted(filter(_is_worker, jobs), key=_made)
        why = why_ended(pods_of(api, workers[-1]["metadata"]["name"])) if workers else _DELETED
        _delete(api, [job for job in workers if not _has_ended(job)])  # or one too many goes on
        why = f"The run lost its pod. {why}".rstrip()
        if len(workers) < len(jobs) or not self._has_begun(run):
            said = "It goes on in a new pod; its steps went on in theirs."
            self._instance.report_engine_event(f"{why} {said}", run)
            super().resume_run(context)
        else:
            self._instance.report_run_failed(run, f"{why} {self._retried(run)}")

    def _has_begun(self, run: dg.DagsterRun) -> bool:
        started = self._instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_START)
        return bool(started)

    def _retried(self, run: dg.DagsterRun) -> str:
        """Have the daemon start another run for it when it has failed, once, unless too often."""
        group = self._instance.get_run_group(run.run_id)
        runs = len([*group[1]]) if group else 1
        if runs > self._instance.run_monitoring_max_resume_run_attempts:
            return f"It is not started again, after {runs} runs; mend the cause."
        self._instance.add_run_tags(run.run_id, {MAX_RETRIES_TAG: str(runs)})
        return "What it did not finish is done by another run, which starts by itself."

    def terminate(self, run_id: str) -> bool:
        """See `RunLauncher`; the steps are told at once, whatever has become of the run's pod."""
        api = self._api().patient()
        self._jobs(api, run_id)  # once it answers
        ended = bool(super().terminate(run_id))
        jobs = self._jobs(api, run_id)  # now that no step is started any more
        _delete(api, [job for job in jobs if not (_is_worker(job) or _has_ended(job))])
        return ended

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """See `RunLauncher`; a run goes on while nobody can be asked about it.

        Not one that waits for the new pod of its own for longer than a new run might.
        """
        found = super().check_run_worker_health(run)
        attempt = self._get_resume_attempt_number(run)
        if found.status != WorkerStatus.UNKNOWN and not (
            attempt and found.status == WorkerStatus.RUNNING
        ):
            return found
        name = get_job_name_from_run_id(run.run_id, resume_attempt_number=attempt)
        try:
            why = self._why_not_running(run, name)
        except ClusterUnavailableError as err:
            return CheckRunHealthResult(WorkerStatus.RUNNING, str(err), transient=True)
        return CheckRunHealthResult(WorkerStatus.FAILED if why else WorkerStatus.RUNNING, why)

    def _why_not_running(self, run: dg.DagsterRun, name: str) -> str:
        api, jobs = self._api(), self._jobs(self._api(), run.run_id)
        patience = timedelta(seconds=self._instance.run_monitoring_start_timeout_seconds)
        here = [job for job in jobs if job["metadata"]["name"] == name]
        return why_waiting(api, here[0], patience) if here else _DELETED

    def get_run_worker_debug_info(
        self, run: dg.DagsterRun, include_container_logs: bool | None = True
    ) -> str | None:
        """Why the run's pod ended or did not start, and what Dagster tells of it.

        The daemon asks right before it ends a run that cannot end by itself; so all pods of the
        run, which nobody would look after, are ended too.
        """
        api = self._api().patient()
        jobs = self._jobs(api, run.run_id)
        workers = sorted(filter(_is_worker, jobs), key=_made)
        why = [_why(api, job) for job in workers[-1:]]
        told = super().get_run_worker_debug_info(run, include_container_logs)
        _delete(api, [job for job in jobs if not _has_ended(job)])
        return "\n".join(filter(None, [*why, told]))

    def _api(self) -> ClusterApi:
        return ClusterApi.connect(self.job_namespace)

    def _jobs(self, api: ClusterApi, run_id: str) -> list[Object]:
        return api.labelled("Job", {_RUN: run_id})


def _is_worker(job: Object) -> bool:
    return job["metadata"]["labels"].get(_COMPONENT) == _WORKER


def _made(job: Object) -> str:
    return job["metadata"]["creationTimestamp"]


def _has_ended(job: Object) -> bool:
    conditions = job.get("status", {}).get("conditions", [])
    ends = ("Complete", "Failed")
    return any(one["type"] in ends and one["status"] == "True" for one in conditions)


def _why(api: ClusterApi, job: Object) -> str:
    name = job["metadata"]["name"]
    if _has_ended(job):
        return why_failed(pods_of(api, name))
    return why_waiting(api, job, timedelta(0))


def _delete(api: ClusterApi, jobs: list[Object]) -> None:
    for job in jobs:
        api.delete("Job", job["metadata"]["name"])
