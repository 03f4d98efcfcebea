"""The least number of an endpoint's pods by the clock.

`python -m resources.cluster.nights NAME LEAST`, run by the CronJobs of `deploy/nights`. How many
pods there are beyond it is the autoscaler's business, and what a deployment applies is
`resources.cluster.objects`.
"""

import sys
from pathlib import Path
from typing import Any

from mlops_assets.errors import DeploymentError
from resources.cluster.api import ClusterApi

_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def set_least(api: ClusterApi, name: str, least: int) -> None:
    """Have the autoscaler of that name keep at least so many pods, until it is deployed again.

    A `DeploymentError` says that there is none: it belongs to an endpoint whose
    `deployment.cluster.replicas` has a `max` above `min`.
    """
    change: dict[str, Any] = {"spec": {"minReplicas": least}}
    if api.change("HorizontalPodAutoscaler", name, change) is None:
        raise DeploymentError(
            f"there is no HorizontalPodAutoscaler {name!r} in the namespace {api.namespace!r}; "
            "give its model `deployment.cluster.replicas` with a max above min, and deploy it"
        )


def main(name: str, least: str) -> None:
    """As the CronJob says, in its own namespace."""
    api = ClusterApi.connect(_NAMESPACE.read_text(encoding="utf-8").strip()).patient()
    set_least(api, name, int(least))


if __name__ == "__main__":
    main(*sys.argv[1:])
