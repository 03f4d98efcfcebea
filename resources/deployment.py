"""Endpoints wherever each model's YAML says: `deployment.target`.

Where a model is served is remembered in its folder, so that it is found whatever the YAML says by
now. Between this machine and a cluster it is moved by hand: stopped here, then deployed there.
"""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.records.files import APPLIED_FILE, DEPLOY_LOCK, LAUNCH_FILE, VERIFIED_FILE
from mlops_assets.records.serving import Endpoint
from mlops_assets.runtime.atomic import exclusive
from resources.cluster.applied import read_applied
from resources.cluster.kinds import KindName
from resources.cluster.target import ClusterTarget
from resources.endpoints.deployer import EndpointDeployer
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.local import LocalTarget
from resources.endpoints.process import EndpointProcess
from resources.endpoints.target import Target


class EndpointTargets(EndpointDeployer):
    """Serves each model on this machine or in a cluster."""

    shared: str = Field(
        default="",
        description="Where the claim that pods mount is mounted here; default: above `root`.",
    )
    start_timeout_seconds: float = Field(
        default=120.0, gt=0, description="How long workers here may take to load a version."
    )

    def names(self) -> list[str]:
        """Models that were deployed on this machine last, and not stopped on purpose."""
        found = [path.parent for path in Path(self.root).resolve().glob(f"*/{LAUNCH_FILE}")]
        good = [path for path in found if (path / VERIFIED_FILE).exists()]
        here = [path.name for path in good if not (path / APPLIED_FILE).exists()]
        return sorted(name for name in here if not self.stopped(name))

    def addresses(self) -> dict[str, str]:
        """Model -> `HOST:PORT` of its endpoint, of those of `names`, whether it answers or not."""
        kept = {
            name: EndpointProcess(self._folder(name).path).kept_launch() for name in self.names()
        }
        return {name: urlsplit(launch.url).netloc for name, launch in kept.items() if launch}

    def up(self, name: str) -> Endpoint:
        """Serve again on this machine what served last, from the kept files alone."""
        folder = self._folder(name)
        if (where := _where(folder)) != "local":
            raise DeploymentError(
                f"{name!r} was deployed to target {where} last, not here; run `mlops run {name}`"
            )
        target = LocalTarget(folder, self.start_timeout_seconds)
        target.kept()  # before the lock, which would make a folder
        with exclusive(folder.path / DEPLOY_LOCK):
            return target.up()

    def _target(self, folder: EndpointFolder) -> Target:
        return self._named(_where(folder), folder)

    def _next_target(self, folder: EndpointFolder, settings: DeploymentSettings) -> Target:
        where, wanted, name = _where(folder), settings.target, folder.path.name
        if (where == "local") != (wanted == "local") and self.status(name) is not None:
            raise DeploymentError(
                f"{name!r} is served by target {where} and shall move to {wanted}; end it first: "
                f"`mlops stop {name}`, then deploy"
            )
        return self._named(wanted, folder)

    def _named(self, where: KindName | Literal["local"], folder: EndpointFolder) -> Target:
        if where == "local":
            return LocalTarget(folder, self.start_timeout_seconds)
        shared = Path(self.shared or Path(self.root).parent)
        return ClusterTarget(folder, where, shared.resolve())


def _where(folder: EndpointFolder) -> KindName | Literal["local"]:
    """Where the model was deployed last."""
    applied = read_applied(folder.path)
    return applied.target if applied else "local"
