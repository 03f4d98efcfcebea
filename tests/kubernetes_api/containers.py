"""A container as a process: its command and environment, with the paths of this machine."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.kubernetes_api.objects import Object, Objects, quantity

EVERYWHERE = "0.0.0.0"


@dataclass(frozen=True)
class Node:
    """The only node, and what the images and claims of the cluster are on this machine."""

    folder: Path
    """Of the pods' own files."""
    images: Mapping[str, Mapping[str, str]]
    """Name -> the environment that the image sets."""
    claims: Mapping[str, Path]
    account: Callable[[str, Path], Path]
    """The account's way to the API, written into a folder."""
    capacity: Mapping[str, str] = field(default_factory=lambda: {"cpu": "16", "memory": "32Gi"})


class Container:
    """The one container of a pod."""

    def __init__(
        self, pod: Object, node: Node, objects: Objects, folder: Path, address: str
    ) -> None:
        self.spec = pod["spec"]["containers"][0]
        self._pod, self._node, self._objects = pod, node, objects
        self._folder, self._address = folder, address

    def unschedulable(self) -> str:
        """Why no node takes the pod; empty if one does."""
        short = "0/1 nodes are available: "
        for volume in self._pod["spec"].get("volumes", []):
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and claim not in self._node.claims:
                return f'{short}persistentvolumeclaim "{claim}" not found'
        if self._pod["spec"].get("nodeSelector"):
            return f"{short}1 node(s) didn't match Pod's node affinity/selector."
        granted = self.spec.get("resources", {})
        for resource, amount in (granted.get("limits", {}) | granted.get("requests", {})).items():
            if quantity(amount) > quantity(self._node.capacity.get(resource, 0)):
                return f"{short}1 Insufficient {resource}."
        return ""

    def missing(self) -> str:
        """Which Secret or ConfigMap is not there; empty if all are."""
        for source in self.spec.get("envFrom", []):
            if self._all_of(source) is None:
                return f"not found: {source}"
        for variable in self.spec.get("env", []):
            wanted = variable.get("valueFrom", {}).get("secretKeyRef")
            if wanted and self._secret(wanted) is None:
                return f'secret "{wanted["name"]}" with the key {wanted["key"]} not found'
        return ""

    def has_image(self) -> bool:
        return self.spec["image"] in self._node.images

    def start(self, log: Path) -> subprocess.Popen[bytes]:
        command = [*self.spec.get("command", []), *self.spec.get("args", [])]
        with log.open("wb") as file:
            return subprocess.Popen(
                [self._inside(part) for part in command],
                env=dict(self._node.images[self.spec["image"]]) | self._environment(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )

    def uses_too_much(self, process: subprocess.Popen[bytes]) -> bool:
        limit = self.spec.get("resources", {}).get("limits", {}).get("memory")
        if limit is None:
            return False
        try:
            return psutil.Process(process.pid).memory_info().rss > quantity(limit)
        except psutil.Error:
            return False

    @property
    def answers_localhost(self) -> bool:
        """Whether it was told to listen on every address of its network."""
        return any(one.get("value") == EVERYWHERE for one in self.spec.get("env", []))

    def _environment(self) -> dict[str, str]:
        told = {"status.podIP": self._address, "metadata.name": self._pod["metadata"]["name"]}
        found = self._service_links() | {"HOSTNAME": told["metadata.name"]} | self._token()
        for source in self.spec.get("envFrom", []):
            found |= self._all_of(source) or {}
        for variable in self.spec.get("env", []):
            source = variable.get("valueFrom", {})
            if "fieldRef" in source:
                found[variable["name"]] = told[source["fieldRef"]["fieldPath"]]
            elif "secretKeyRef" in source:
                found[variable["name"]] = self._secret(source["secretKeyRef"]) or ""
            else:
                found[variable["name"]] = self._inside(variable.get("value") or "")
        return found

    def _token(self) -> dict[str, str]:
        """Of the pod's account, as a kubeconfig in its working directory; unless it wants none."""
        spec = self._pod["spec"]
        if spec.get("automountServiceAccountToken", True) is False:
            return {}
        written = self._node.account(spec.get("serviceAccountName", "default"), self._folder)
        return {"KUBECONFIG": str(written.rename(self._folder / "kubeconfig.yaml"))}

    def _service_links(self) -> dict[str, str]:
        """Of each Service of the namespace, unless the pod wants none of them."""
        if self._pod["spec"].get("enableServiceLinks", True) is False:
            return {}
        found = {}
        for service in self._objects.of("services", self._pod["metadata"]["namespace"]):
            name = service["metadata"]["name"].upper().replace("-", "_")
            port = str(service["spec"]["ports"][0]["port"])
            address = f"tcp://10.96.0.1:{port}"
            found |= {f"{name}_SERVICE_HOST": "10.96.0.1", f"{name}_SERVICE_PORT": port}
            found |= {f"{name}_PORT": address, f"{name}_PORT_{port}_TCP": address}
        return found

    def _all_of(self, source: Object) -> Object | None:
        namespace = self._pod["metadata"]["namespace"]
        if "configMapRef" in source:
            one = self._objects.get("configmaps", namespace, source["configMapRef"]["name"])
            return one and one.get("data", {})
        one = self._objects.get("secrets", namespace, source["secretRef"]["name"])
        return one and one.get("stringData", {})

    def _secret(self, wanted: Object) -> str | None:
        found = self._objects.get("secrets", self._pod["metadata"]["namespace"], wanted["name"])
        return (found or {}).get("stringData", {}).get(wanted["key"])

    def _inside(self, text: str) -> str:
        """A path in the container as it is on this machine, which the process sees whole.

        All pods share this machine's network too: of all addresses, each has its own.
        """
        if text == EVERYWHERE:
            return self._address
        volumes = {volume["name"]: volume for volume in self._pod["spec"].get("volumes", [])}
        for mount in self.spec.get("volumeMounts", []):
            path = mount["mountPath"]
            if text == path or text.startswith(f"{path}/"):
                claim = volumes[mount["name"]].get("persistentVolumeClaim", {}).get("claimName")
                volume = self._node.claims[claim] if claim else self._folder / mount["name"]
                folder = volume / mount.get("subPath", "")
                folder.mkdir(parents=True, exist_ok=True)
                return str(folder) + text.removeprefix(path)
        return text


def send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the process and all of its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
