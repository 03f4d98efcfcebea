"""Which folders of the shared claim a pod gets, and whether pods can read the features in it.

On which nodes it may be mounted is `resources.cluster.placement`.
"""

from pathlib import Path

from mlops_assets.errors import ConfigError, DeploymentError
from mlops_assets.records import files
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.runtime.atomic import ensure_folder
from resources.cluster.api import ClusterApi
from resources.cluster.objects import Mount

_READ = (files.VERSIONS_FOLDER, files.GENERATIONS_FOLDER, files.METRICS_FOLDER)


def mounts_of(endpoint: Path, shared: Path, online: OnlineFeatures) -> tuple[Mount, ...]:
    """The folders, made where missing: its versions, what it logs, and where features are read.

    Never the endpoint's folder itself, which holds the deployer's key. A `ConfigError` names the
    one that does not lie on the claim.
    """
    mounts = [Mount(endpoint / name) for name in _READ]
    mounts.append(Mount(endpoint / files.LOG_FOLDER, writable=True))
    # A reader of sqlite shares the log of its writer, and so writes beside it.
    mounts += [Mount(folder, writable=_is_sqlite(online)) for folder in _feature_folders(online)]
    for mount in mounts:
        if not mount.path.is_relative_to(shared):
            raise ConfigError(
                f"{mount.path} is not on the claim that is mounted at {shared}, so no pod sees it; "
                "set MLOPS_HOME below it, or MLOPS_SHARED to where it is mounted"
            )
        ensure_folder(mount.path)
    return tuple(mounts)


def shared_on_one_node(api: ClusterApi, claim: str, online: OnlineFeatures) -> bool:
    """Whether all pods that mount the claim must be on one node, where sqlite is sound too.

    A `DeploymentError` says that there is no such claim, or that pods cannot share it soundly.
    """
    found = api.get("PersistentVolumeClaim", claim)
    if found is None:
        raise DeploymentError(
            f"there is no claim {claim!r} in the namespace {api.namespace!r}; create it, or name "
            "another one by deployment.cluster.claim"
        )
    modes = found["spec"]["accessModes"]
    if "ReadWriteOncePod" in modes:
        raise DeploymentError(
            f"the claim {claim!r} is {modes}, for one pod alone, and Dagster's pods mount it too; "
            "use a ReadWriteOnce or ReadWriteMany claim"
        )
    one_node = "ReadWriteMany" not in modes
    if _is_sqlite(online) and not one_node:
        raise DeploymentError(
            f"the online features are in a sqlite file, and the claim {claim!r} is {modes}: its "
            "pods may be on several machines, which cannot read a file that another one writes. "
            "Set MLOPS_ONLINE_STORE to a store with a server, or use a ReadWriteOnce claim."
        )
    return one_node


def _is_sqlite(online: OnlineFeatures) -> bool:
    return online.store.get("online_store", {}).get("type") == "sqlite"


def _feature_folders(online: OnlineFeatures) -> list[Path]:
    """Where the registry is, and the online store if it is a file."""
    files = [online.store.get(part, {}).get("path") for part in ("registry", "online_store")]
    folders = {Path(file).resolve().parent: None for file in files if file and file[0] == "/"}
    return list(folders)
