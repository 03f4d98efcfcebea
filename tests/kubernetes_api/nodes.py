"""Several nodes: where a pod goes, and what of its claims is attached to another one."""

from collections.abc import Iterator

from tests.kubernetes_api.objects import Object, Objects, matches


class Nodes:
    """Names only: every node is this machine."""

    def __init__(self, objects: Objects, count: int) -> None:
        self._objects = objects
        self._names = [f"node-{number}" for number in range(count)]

    def place(self, pod: Object) -> str:
        """Bind the pod: beside those that it must be beside, else where the fewest are."""
        with self._objects.lock:
            allowed = set(self._names)
            for selector in _beside(pod):
                there = {_node(other) for other in self._bound(pod) if _has(other, selector)}
                allowed &= there or (set(self._names) if _has(pod, selector) else set())
            counts = dict.fromkeys(sorted(allowed), 0)
            for other in self._bound(pod):
                if _node(other) in counts:
                    counts[_node(other)] += 1
            found = min(counts, key=lambda name: counts[name])
            pod["spec"]["nodeName"] = found
            return found

    def attached_elsewhere(self, pod: Object) -> str:
        """What the cluster says of a ReadWriteOnce claim that another node has; else empty."""
        for claim in _claims(pod):
            volume = self._objects.get("persistentvolumeclaims", _namespace(pod), claim)
            if volume is None or volume["spec"]["accessModes"] != ["ReadWriteOnce"]:
                continue
            for other in self._bound(pod):
                if claim in _claims(other) and _node(other) != _node(pod):
                    name = other["metadata"]["name"]
                    return (
                        f'Multi-Attach error for volume "{claim}": Volume is already used by '
                        f"pod(s) {name}"
                    )
        return ""

    def _bound(self, pod: Object) -> Iterator[Object]:
        """The other pods that have a node, and have not ended."""
        for other in self._objects.of("pods", _namespace(pod)):
            ended = other["status"].get("phase") in ("Succeeded", "Failed")
            if other is not pod and _node(other) and not ended:
                yield other


def _beside(pod: Object) -> list[Object]:
    affinity = pod["spec"].get("affinity", {}).get("podAffinity", {})
    terms = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", [])
    return [term["labelSelector"]["matchLabels"] for term in terms]


def _has(pod: Object, selector: Object) -> bool:
    return matches(pod["metadata"].get("labels"), selector)


def _node(pod: Object) -> str:
    return pod["spec"].get("nodeName", "")


def _namespace(pod: Object) -> str:
    return pod["metadata"]["namespace"]


def _claims(pod: Object) -> list[str]:
    claims = [one.get("persistentVolumeClaim") for one in pod["spec"].get("volumes", [])]
    return [claim["claimName"] for claim in claims if claim]
