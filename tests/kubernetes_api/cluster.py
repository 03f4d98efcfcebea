"""A fake Kubernetes cluster, over HTTP, for tests where there is no real one.

It keeps objects, refuses what the API's schemas, the given Roles or the given admission policies
refuse, rolls Deployments, and runs each container as a real process with its environment, on an
address of its own; a Gateway is a proxy that shares requests out as the routes say which it
accepts. It says something about our code: what it asks for, how it reads the answers, and that its
process really serves. It says nothing about a cluster: a container sees the whole machine (no
image, user, read-only file system, network policy or limit of CPU is enforced; nodes are names), a
token is the name of its account, there is no admission webhook, no ReplicaSet (a Deployment owns
its pods), nothing measures load, server-side apply knows one manager, and KServe's controller is a
stand-in written from its source. Where the two differ, the real one is right.

Seen on a real 1.36 cluster and kept here: deleting without a propagation policy leaves a Job's pods
behind; the log of a container that never ran is an error 400; a rolling update without a pause
before a pod ends loses requests, since its Service learns late of it; every Service is in the
environment of later pods, unless they want no service links; an evicted pod stays, ended and never
deleted; the API server may be away for seconds; a ReadWriteOnce claim is attached to one node and
yet keeps no pod on it; localhost of a pod does not reach what listens on its address only.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import yaml

from tests.kubernetes_api.admission import Policy
from tests.kubernetes_api.containers import Node
from tests.kubernetes_api.controllers import Controllers
from tests.kubernetes_api.gateways import Gateways
from tests.kubernetes_api.kubelet import Kubelet
from tests.kubernetes_api.network import Network
from tests.kubernetes_api.nodes import Nodes
from tests.kubernetes_api.objects import Object, Objects, now
from tests.kubernetes_api.server import ApiServer, Asked

_TURN_SECONDS = 0.05
_OWNED = ("pods", "deployments", "services")


class Cluster:
    """Use it as a context; `kubeconfig` is how clients find it."""

    def __init__(
        self,
        folder: Path,
        images: Mapping[str, Mapping[str, str]],
        claims: Mapping[str, Path],
        *,
        namespace: str = "mlops",
        kserve: bool = True,
        nodes: int = 1,
        allowed: Mapping[str, set[Asked]] | None = None,
        admission: Sequence[Object] = (),
    ) -> None:
        self.folder, self.namespace = folder, namespace
        self.objects = Objects()
        self.network = Network(self.objects)
        self.gateways = Gateways(self.objects, self.network)
        self.controllers = Controllers(self.objects, self.network, kserve)
        node = Node(folder / "pods", images, claims, self.kubeconfig)
        self.kubelet = Kubelet(self.objects, node, Nodes(self.objects, nodes))
        self.server = ApiServer(self, allowed, Policy.of(admission))
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failures: list[Exception] = []
        """Of the fake itself; a test that leaves any behind has failed."""
        for name in claims:
            self.claim(name, ["ReadWriteOnce"])

    def claim(self, name: str, modes: list[str]) -> None:
        spec = {"accessModes": modes, "resources": {"requests": {"storage": "1Gi"}}}
        wanted = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}
        self.objects.apply(
            "persistentvolumeclaims", self.namespace, name, wanted | {"metadata": {"name": name}}
        )

    def kubeconfig(self, account: str, folder: Path | None = None) -> Path:
        """For whoever asks as this account."""
        where = (folder or self.folder) / f"{account}.yaml"
        return write_kubeconfig(where, self.server.url, account)

    def delete(self, plural: str, one: Object, policy: str) -> None:
        """A pod ends in its own time; of all else the dependents go too, unless orphaned."""
        metadata = one["metadata"]
        if plural == "pods":
            metadata.setdefault("deletionTimestamp", now())
            return
        self.objects.remove(plural, metadata["namespace"], metadata["name"])
        if policy == "Orphan" or (plural == "jobs" and not policy):
            return
        for kind in _OWNED:
            for owned in list(self.objects.owned(kind, one)):
                self.delete(kind, owned, policy)

    def pods(self) -> list[Object]:
        return self.objects.of("pods", self.namespace)

    def evict(self, name: str) -> None:
        """As a kubelet whose disk is full: the process ends, what it was stays to be seen."""
        said = {"reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."}
        self.kubelet.runner(name).lose("TerminationByKubelet", said)

    def take(self, name: str) -> None:
        """As a spot node that goes away: its pods end with it."""
        self.kubelet.runner(name).lose("DeletionByTaintManager", {})

    def drain(self, name: str) -> None:
        """As `kubectl drain`: the pod is told to end, and why, and is gone when it has."""
        self.kubelet.runner(name).disrupt("EvictionByEvictionAPI")
        self.objects.get("pods", self.namespace, name)["metadata"]["deletionTimestamp"] = now()

    def port_forward(self, name: str) -> tuple[str, int]:
        """Where the pod is reached by localhost of its own network; refused if it is not."""
        return self.kubelet.runner(name).localhost()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(10)
        self.server.close()
        self.gateways.close()
        self.network.close()
        self.kubelet.close()
        assert not self.failures, self.failures

    def _run(self) -> None:
        while not self._ends.is_set():
            try:
                self.controllers.turn()
                self.kubelet.look()
                self.network.look()
                self.gateways.look()
            except Exception as err:
                self.failures.append(err)
                return
            time.sleep(_TURN_SECONDS)


def write_kubeconfig(path: Path, server: str, account: str = "anybody") -> Path:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "fake",
        "contexts": [
            {"name": "fake", "context": {"cluster": "fake", "user": "fake", "namespace": "mlops"}}
        ],
        "clusters": [{"name": "fake", "cluster": {"server": server}}],
        "users": [{"name": "fake", "user": {"token": account}}],
    }
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
