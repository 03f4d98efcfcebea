"""On which nodes the pods of an endpoint may be.

All else that a pod is made of is `resources.cluster.objects`.
"""

from collections.abc import Mapping

from resources.cluster.api import Object

CLAIM = "mlops-assets/claim"
"""Label of a pod: the claim that it mounts, as in deploy/kubernetes."""
_NODE = "kubernetes.io/hostname"


def place(labels: Mapping[str, str], claim: str, *, one_node: bool) -> Object:
    """Fields of a pod's `spec`: beside all that mounts the claim, or spread for a node that fails.

    A ReadWriteOnce claim is attached to one node, yet keeps no pod on it: a pod elsewhere would
    wait for ever. The first pod of all goes anywhere, since it has the label that it looks for.
    """
    if one_node:
        term = {"labelSelector": {"matchLabels": {CLAIM: claim}}, "topologyKey": _NODE}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": [term]}
        return {"affinity": {"podAffinity": required}}
    spread = {"maxSkew": 1, "topologyKey": _NODE, "whenUnsatisfiable": "ScheduleAnyway"}
    selector = {"labelSelector": {"matchLabels": dict(labels)}}
    return {"topologySpreadConstraints": [spread | selector]}
