"""What stands between a client and the pods of a Service."""

import contextlib
import itertools
import socket
import threading
import time

from tests.kubernetes_api.objects import Object, Objects, matches

LAG_SECONDS = 1.0
"""How late a node learns which pods a Service has: without a pause before it ends, a pod still gets
connections that it no longer takes."""


class Network:
    """Each Service as a listener on 127.0.0.1, on its own port or, below 1024, on a free one."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._listeners: dict[str, socket.socket] = {}
        self._ready: dict[str, list[tuple[str, int]]] = {}
        self._turn = itertools.count()
        self._looked = 0.0

    def look(self) -> None:
        """Open and close listeners at once; learn of pods from time to time."""
        services = {one["metadata"]["uid"]: one for one in self._objects.of("services")}
        for uid in set(self._listeners) - set(services):
            _close(self._listeners.pop(uid))
            self._ready.pop(uid, None)
        for uid, service in services.items():
            if uid not in self._listeners:
                self._listen(uid, service)
        self._learn()

    def address(self, service: Object) -> str | None:
        listener = self._listeners.get(service["metadata"]["uid"])
        return f"http://127.0.0.1:{listener.getsockname()[1]}" if listener else None

    def pods_behind(self, uid: str) -> list[tuple[str, int]]:
        """Which pods the nodes know a Service to have."""
        self._learn()
        return self._ready.get(uid, [])

    def _learn(self) -> None:
        """Late, and no later: also where this process has little time for its threads."""
        if time.monotonic() - self._looked >= LAG_SECONDS:
            self._looked = time.monotonic()
            services = self._objects.of("services")
            self._ready = {one["metadata"]["uid"]: self._endpoints(one) for one in services}

    def close(self) -> None:
        for listener in self._listeners.values():
            _close(listener)

    def _endpoints(self, service: Object) -> list[tuple[str, int]]:
        selector, (port,) = service["spec"]["selector"], service["spec"]["ports"]
        return [
            (pod["status"]["podIP"], port["targetPort"])
            for pod in self._objects.of("pods", service["metadata"]["namespace"])
            if matches(pod["metadata"].get("labels"), selector)
            and "deletionTimestamp" not in pod["metadata"]
            and is_ready(pod)
        ]

    def _listen(self, uid: str, service: Object) -> None:
        port = service["spec"]["ports"][0]["port"]
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port if port >= 1024 else 0))
        except OSError:  # a second Service with this port: others have an address of their own
            listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        self._listeners[uid] = listener
        threading.Thread(target=self._accept, args=(uid, listener), daemon=True).start()

    def _accept(self, uid: str, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # closed
                return
            pods = self.pods_behind(uid)
            if not pods:
                client.close()
                continue
            pod = pods[next(self._turn) % len(pods)]
            try:
                server = socket.create_connection(pod, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            threading.Thread(target=_relay, args=(client, server), daemon=True).start()


def _close(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)  # or the thread in `accept` keeps the port
    listener.close()


def is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Both directions, until both have ended."""
    back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
    back.start()
    _pass_on(client, server)
    back.join()
    client.close()
    server.close()


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := one.recv(65536):
            other.sendall(content)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)
