"""Runs each pod's container as a process of this machine, on an address of its own."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from itertools import count

from tests.kubernetes_api.containers import Container, Node, send
from tests.kubernetes_api.nodes import Nodes
from tests.kubernetes_api.objects import Object, Objects, Refused, now
from tests.kubernetes_api.probes import Probe

_TURN_SECONDS = 0.1
_BACK_OFF_SECONDS = 10.0
_IMAGE_SECONDS = 0.3
_ADDRESSES = (f"127.{20 + os.getpid() % 200}.{n // 250}.{1 + n % 250}" for n in count())
"""A pod's own address, as a real one has: all of 127/8 is this machine's."""


class Kubelet:
    """One thread per pod."""

    def __init__(self, objects: Objects, node: Node, nodes: Nodes) -> None:
        self._objects, self._node, self._nodes = objects, node, nodes
        self._pods: dict[str, PodRunner] = {}

    def look(self) -> None:
        """Take up pods that are new."""
        for pod in self._objects.of("pods"):
            if pod["metadata"]["uid"] not in self._pods:
                runner = PodRunner(self._objects, self._node, self._nodes, pod)
                self._pods[pod["metadata"]["uid"]] = runner
                runner.start()

    def log(self, name: str, query: Mapping[str, str]) -> bytes:
        return self.runner(name).log(query)

    def runner(self, name: str) -> "PodRunner":
        for runner in self._pods.values():
            if runner.name == name:
                return runner
        raise Refused(404, f'pods "{name}" not found')

    def close(self) -> None:
        """End every process at once."""
        for runner in self._pods.values():
            runner.kill()
        for runner in self._pods.values():
            runner.join(10)


class PodRunner(threading.Thread):
    """From the scheduler to the end of the pod."""

    def __init__(self, objects: Objects, node: Node, nodes: Nodes, pod: Object) -> None:
        super().__init__(daemon=True, name=pod["metadata"]["name"])
        self._pod, self._objects, self._nodes = pod, objects, nodes
        self._folder = node.folder / pod["metadata"]["name"]
        self._address = next(_ADDRESSES)
        self._container = Container(pod, node, objects, self._folder, self._address)
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts, self._killed, self._lost = 0, False, False
        self._last: Object = {}

    def run(self) -> None:
        self._folder.mkdir(parents=True)
        self._set({"phase": "Pending", "podIP": self._address, "conditions": []})
        if self._wait_for_node() and self._wait_for_volume() and self._wait_for_image():
            self._keep_running()
        self._end_process()
        while self._lost and not self._ends:
            time.sleep(_TURN_SECONDS)
        metadata = self._pod["metadata"]
        self._objects.remove("pods", metadata["namespace"], metadata["name"])

    def kill(self) -> None:
        self._killed = True
        if self._process is not None:
            send(self._process, signal.SIGKILL)

    def lose(self, reason: str, said: Object) -> None:
        """End it for a reason of its node's, and keep what it was to be seen."""
        conditions = [_condition("Ready", holds=False), _taken(reason)]
        self._set({"phase": "Failed", "conditions": conditions, "containerStatuses": []} | said)
        self._lost = True
        if self._process is not None:
            send(self._process, signal.SIGKILL)

    def disrupt(self, reason: str) -> None:
        """Say that it will be ended for the cluster's own reasons."""
        self._set({"conditions": [*self._pod["status"]["conditions"], _taken(reason)]})

    def localhost(self) -> tuple[str, int]:
        if not self._container.answers_localhost:
            raise ConnectionRefusedError(f"nothing listens on localhost of {self.name}")
        return self._address, self._container.spec["ports"][0]["containerPort"]

    def log(self, query: Mapping[str, str]) -> bytes:
        """Of the running container, or of the last that ran; the one before, if so asked."""
        logs = sorted(self._folder.glob("*.log"), key=lambda path: int(path.stem))
        running = self._process is not None and self._process.poll() is None
        if query.get("previous") == "true" and running:
            logs = logs[:-1]
        if not logs:
            name = self._container.spec["name"]
            raise Refused(400, f'container "{name}" is waiting to start')
        lines = logs[-1].read_bytes().splitlines(keepends=True)
        return b"".join(lines[-int(query.get("tailLines", len(lines) or 1)) :])

    @property
    def _ends(self) -> bool:
        return self._killed or "deletionTimestamp" in self._pod["metadata"]

    def _set(self, changes: Object) -> None:
        with self._objects.lock:
            if self._lost:
                return
            self._pod["status"] = self._pod["status"] | changes

    def _wait_for_node(self) -> bool:
        while not self._ends:
            problem = self._container.unschedulable()
            if not problem:
                self._nodes.place(self._pod)
                return True
            if not self._pod["status"]["conditions"]:
                waits = {"reason": "Unschedulable", "message": problem}
                self._set({"conditions": [_condition("PodScheduled", holds=False) | waits]})
            time.sleep(_TURN_SECONDS)
        return False

    def _wait_for_volume(self) -> bool:
        while not self._ends:
            said = self._nodes.attached_elsewhere(self._pod)
            if not said:
                return True
            if not self._pod["status"].get("containerStatuses"):
                self._wait_because("ContainerCreating", "")
                self._report("FailedAttachVolume", said)
            time.sleep(_TURN_SECONDS)
        return False

    def _report(self, reason: str, message: str) -> None:
        about = {"kind": "Pod", "name": self.name, "namespace": self._pod["metadata"]["namespace"]}
        event = {"apiVersion": "v1", "kind": "Event", "metadata": {"generateName": self.name}}
        told = {"type": "Warning", "reason": reason, "message": message, "involvedObject": about}
        self._objects.create("events", about["namespace"], event | told)

    def _wait_for_image(self) -> bool:
        image = self._container.spec["image"]
        while not self._ends:
            if missing := self._container.missing():
                self._wait_because("CreateContainerConfigError", missing)
            elif self._container.has_image():
                return True
            else:
                self._wait_because("ErrImagePull", f'failed to pull "{image}": not found')
                time.sleep(_IMAGE_SECONDS)
                self._wait_because("ImagePullBackOff", f'Back-off pulling image "{image}"')
            time.sleep(_IMAGE_SECONDS)
        return False

    def _wait_because(self, reason: str, message: str) -> None:
        self._tell({"waiting": {"reason": reason, "message": message}}, ready=False)

    def _tell(self, state: Object, *, ready: bool) -> None:
        container = {
            "name": self._container.spec["name"],
            "image": self._container.spec["image"],
            "imageID": "",
            "restartCount": self._restarts,
            "ready": ready,
            "state": state,
            "lastState": self._last,
        }
        conditions = [_condition("PodScheduled", holds=True), _condition("Ready", holds=ready)]
        phase = "Running" if "running" in state or self._restarts else "Pending"
        told = {"phase": phase, "conditions": conditions, "containerStatuses": [container]}
        self._set(told)

    def _keep_running(self) -> None:
        while not self._ends:
            process = self._container.start(self._folder / f"{self._restarts}.log")
            self._process = process
            killed = self._watch(process)
            if self._ends or self._lost:
                return
            code = process.wait()
            reason = killed or ("Error" if code else "Completed")
            code = 128 - code if code < 0 else code
            ended = {"terminated": {"exitCode": code, "reason": reason, "finishedAt": now()}}
            self._tell(ended, ready=False)
            if self._pod["spec"].get("restartPolicy", "Always") == "Never":
                self._set({"phase": "Failed" if code else "Succeeded"})
                while not self._ends:
                    time.sleep(_TURN_SECONDS)
                return
            self._last = ended
            self._back_off()
            self._restarts += 1

    def _back_off(self) -> None:
        """The first time it is started again at once."""
        time.sleep(_TURN_SECONDS)
        if self._restarts == 0:
            return
        self._wait_because("CrashLoopBackOff", "back-off 10s restarting failed container")
        ends = time.monotonic() + _BACK_OFF_SECONDS * 2 ** (self._restarts - 1)
        while not self._ends and time.monotonic() < ends:
            time.sleep(_TURN_SECONDS)

    def _watch(self, process: subprocess.Popen[bytes]) -> str | None:
        """Until the process ends, or the pod must; the reason if it was killed from here."""
        running, spec = {"running": {"startedAt": now()}}, self._container.spec
        startup, readiness, liveness = (
            Probe(spec.get(f"{kind}Probe"), self._address)
            for kind in ("startup", "readiness", "liveness")
        )
        told = None
        while not self._ends and process.poll() is None:
            if self._container.uses_too_much(process):
                send(process, signal.SIGKILL)
                return "OOMKilled"
            if not startup.passes:
                startup.ask()
            else:
                readiness.ask()
                liveness.ask()
            if startup.failed or liveness.failed:
                send(process, signal.SIGKILL)
                return "Error"
            ready = startup.passes and readiness.passes
            if ready != told:
                self._tell(running, ready=ready)
                told = ready
            time.sleep(_TURN_SECONDS)
        return None

    def _end_process(self) -> None:
        """What `preStop` says, SIGTERM, and after the grace period SIGKILL."""
        process = self._process
        if process is None:
            return
        if process.poll() is None and not self._killed:
            hook = self._container.spec.get("lifecycle", {}).get("preStop", {})
            pause = time.monotonic() + hook.get("sleep", {}).get("seconds", 0)
            while not self._killed and time.monotonic() < pause:
                time.sleep(_TURN_SECONDS)
            send(process, signal.SIGTERM)
            grace = self._pod["spec"].get("terminationGracePeriodSeconds", 30)
            ends = time.monotonic() + grace
            while process.poll() is None and not self._killed and time.monotonic() < ends:
                time.sleep(_TURN_SECONDS)
        send(process, signal.SIGKILL)
        process.wait()


def _taken(reason: str) -> Object:
    return _condition("DisruptionTarget", holds=True) | {"reason": reason, "message": "gone"}


def _condition(kind: str, *, holds: bool) -> Object:
    return {"type": kind, "status": str(holds), "lastTransitionTime": now()}
