"""An endpoint as pods of a cluster: by a Deployment, or by KServe's InferenceService.

The claim that holds the state is mounted where Dagster runs and, in the parts that a version needs
and at the same paths, in its pods. A generation's manifest never changes, so a rollout is one of
pods, after a trial by others where the settings want one; a version counts as deployed when all of
them serve it and the live Service repeated the recorded requests. Anything else applies again what
was applied before.
"""

from dataclasses import replace
from pathlib import Path

from mlops_assets.errors import ConfigError, DeploymentError
from mlops_assets.records.files import STOPPED_FILE
from mlops_assets.records.serving import Endpoint, Manifest
from resources.cluster.api import ClusterApi
from resources.cluster.applied import generation_file, read_applied
from resources.cluster.handover import ClusterHandover
from resources.cluster.kinds import KINDS, KindName
from resources.cluster.objects import Plan, service_hosts
from resources.cluster.storage import mounts_of, shared_on_one_node
from resources.cluster.trial.state import end_stopped, is_abandoned, read_trial
from resources.cluster.trial.trial import ClusterTrial, Ground
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.target import Release, Target


class ClusterTarget(Target):
    """A cluster's namespace, by objects of one kind."""

    def __init__(self, folder: EndpointFolder, kind: KindName, shared: Path) -> None:
        """Take where the claim that pods mount is mounted here."""
        super().__init__(folder)
        self._kind, self._shared = kind, shared

    def url(self) -> str | None:
        """See `Target.url`; of what was stopped, pods may answer until they end."""
        applied = read_applied(self._folder.path)
        return applied.url if applied and not self._stopped() else None

    def workers(self) -> int:
        """See `Target.workers`: the pods that are wanted."""
        applied = read_applied(self._folder.path)
        return applied.replicas if applied else 0

    def deploy(self, release: Release) -> Endpoint:
        """See `Target.deploy`."""
        model, cluster = release.servable.model_name, release.settings.cluster
        if cluster is None:
            raise ConfigError(
                f"target {release.settings.target} needs the block `deployment.cluster`"
            )
        mounts = mounts_of(self._folder.path, self._shared, release.online)
        api = ClusterApi.connect(cluster.namespace)
        one_node = shared_on_one_node(api, cluster.claim, release.online)
        hosts = (*release.settings.hosts, *service_hosts(model, cluster))
        settings = release.settings.model_copy(update={"hosts": hosts})
        was_stopped = self._stopped()  # what still answers, is about to end
        wanted = self._stage(replace(release, settings=settings))
        number, file = wanted.generation, generation_file(self._folder.path, wanted.generation)
        plan = Plan(model, number, file, mounts, self._shared, settings, cluster, one_node=one_node)
        trial = None if was_stopped else self._trial(wanted, plan, api.patient())
        if not was_stopped and self._serves(wanted, plan):
            release.confirm()
        else:
            patient = api.patient()
            handover = ClusterHandover(self._folder, self._kind, patient, plan, self.client, trial)
            handover.to(wanted, release)
        endpoint = self.endpoint()
        if endpoint is None:
            raise DeploymentError(
                f"the endpoint of {model!r} passed its checks and then fell silent; deploy again"
            )
        return endpoint

    def end(self) -> None:
        """See `Target.end`; its pods end by themselves, after what they answer."""
        if applied := read_applied(self._folder.path):
            api = ClusterApi.connect(applied.namespace).patient()
            left, good = read_trial(self._folder.path), self._folder.verified()
            for kind, name in [*reversed(applied.keys), *(left.keys if left else ())]:
                api.delete(kind, name)
            if left and good:
                end_stopped(self._folder, left, good)

    def abandoned_trial(self) -> bool:
        """See `Target.abandoned_trial`."""
        return is_abandoned(self._folder.path)

    def _trial(self, wanted: Manifest, plan: Plan, api: ClusterApi) -> ClusterTrial | None:
        """The trial that the version goes through before it serves; ends one left of another."""
        good, before = self._folder.verified(), read_applied(self._folder.path)
        if good is None or before is None:
            return None
        rollout = plan.settings.rollout
        ground = Ground(api, plan, before, self.client)
        left = ClusterTrial(self._folder, rollout, ground)
        if left.goes_on(wanted):
            return left
        left.end_left(good)
        tried = rollout.strategy != "all_at_once" and good.folder != wanted.folder
        if not tried or before.target != self._kind:
            return None
        ground.require_same_service()
        return ClusterTrial(self._folder, rollout, ground)

    def _stopped(self) -> bool:
        return (self._folder.path / STOPPED_FILE).exists()

    def _serves(self, wanted: Manifest, plan: Plan) -> bool:
        """Whether what runs is what is wanted, and passed its checks."""
        good, applied = self._verified_as(wanted), read_applied(self._folder.path)
        if good is None or applied is None or applied.target != self._kind:
            return False
        file = generation_file(self._folder.path, good.generation)
        stands = replace(plan, generation=good.generation, manifest_file=file)
        if KINDS[self._kind].objects(stands) != applied.objects:
            return False
        served = self._served(applied.url)
        return served is not None and served["generation"] == good.generation
