"""Gateways of the Gateway API: each a proxy that accepts routes and shares their requests out.

As real ones do: a route to a Gateway that nobody has gets no status at all, one from a namespace
that is not admitted is not accepted, one to a Service that is not there answers 500, and what a
route says reaches the proxy late. A copy of a request is sent, and its answer thrown away.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.kubernetes_api.network import LAG_SECONDS, Network
from tests.kubernetes_api.objects import Object, Objects, now

_KEPT = ("content-type", "x-api-key", "authorization", "x-mlops-log")


@dataclass
class Gateway:
    """One that a platform team has set up."""

    name: str
    admits: tuple[str, ...]
    """Namespaces whose routes its listener takes."""
    proxy: "Proxy"
    namespace: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.proxy.server_port}"


class Gateways:
    """All of the cluster, and the controller that looks after them."""

    def __init__(self, objects: Objects, network: Network) -> None:
        self._objects, self._network = objects, network
        self._all: list[Gateway] = []

    def add(self, name: str, namespace: str, admits: tuple[str, ...]) -> Gateway:
        gateway = Gateway(name, admits, Proxy(self._network, self.look), namespace)
        self._all.append(gateway)
        return gateway

    def look(self) -> None:
        """Judge every route; a proxy hears of it a moment later."""
        with self._objects.lock:
            for gateway in self._all:
                routes = [one for one in self._objects.of("httproutes") if _is_of(one, gateway)]
                for route in routes:
                    self._judge(route, gateway)
                accepted = [one for one in routes if _holds(one, "Accepted")]
                gateway.proxy.hear([self._resolved(one) for one in accepted])

    def close(self) -> None:
        for gateway in self._all:
            gateway.proxy.shutdown()
            gateway.proxy.server_close()

    def _judge(self, route: Object, gateway: Gateway) -> None:
        metadata = route["metadata"]
        admitted = metadata["namespace"] in gateway.admits
        missing = [one for one in _names(route) if self._service(route, one) is None]
        reason = "Accepted" if admitted else "NotAllowedByListeners"
        found = "BackendNotFound" if missing else "ResolvedRefs"
        said = [
            _condition(metadata, "Accepted", reason, "", holds=admitted),
            _condition(metadata, "ResolvedRefs", found, ", ".join(missing), holds=not missing),
        ]
        parent = {"parentRef": route["spec"]["parentRefs"][0], "controllerName": "example.com/fake"}
        route["status"] = {"parents": [parent | {"conditions": said}]}

    def _resolved(self, route: Object) -> "Shares":
        (rule,) = route["spec"]["rules"]
        backends = [
            (self._service(route, one["name"]), one.get("weight", 1)) for one in rule["backendRefs"]
        ]
        copies = [
            self._service(route, one["requestMirror"]["backendRef"]["name"])
            for one in rule.get("filters", [])
        ]
        return Shares(backends, copies)

    def _service(self, route: Object, name: str) -> Object | None:
        return self._objects.get("services", route["metadata"]["namespace"], name)


@dataclass
class Shares:
    """What a proxy does with a request."""

    backends: list[tuple[Object | None, int]]
    copies: list[Object | None]
    heard: float = field(default_factory=time.monotonic)

    def same(self, other: "Shares") -> bool:
        return (self.backends, self.copies) == (other.backends, other.copies)


class Proxy(ThreadingHTTPServer):
    """One Gateway's listener, on a free port of 127.0.0.1."""

    daemon_threads = True

    def __init__(self, network: Network, look: Callable[[], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.network, self._look, self._looked = network, look, 0.0
        self._shares: list[Shares] = []
        self._next: list[Shares] = []
        self._random = random.Random(0)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def hear(self, shares: list[Shares]) -> None:
        """Take it over after the lag."""
        known = len(shares) == len(self._next)
        if not known or not all(map(Shares.same, shares, self._next)):
            self._next = shares
        if all(time.monotonic() - one.heard >= LAG_SECONDS for one in self._next):
            self._shares = self._next

    def choose(self) -> tuple[Object | None, list[Object | None]]:
        """Who answers the next request, and who gets a copy of it."""
        if time.monotonic() - self._looked >= LAG_SECONDS:
            self._looked = time.monotonic()
            self._look()
        if not self._shares:
            return None, []
        (shares,) = self._shares
        services, weights = zip(*shares.backends, strict=True)
        return self._random.choices(services, weights)[0], shares.copies


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        service, copies = self.server.choose()
        for one in copies:
            threading.Thread(target=self._send, args=(one, body), daemon=True).start()
        code, content = self._send(service, body)
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer

    def _send(self, service: Object | None, body: bytes) -> tuple[int, bytes]:
        if service is None:
            return 500, b"no backend"
        pods = self.server.network.pods_behind(service["metadata"]["uid"])
        if not pods:
            return 503, b"no healthy upstream"
        pod = random.choice(pods)
        connection = HTTPConnection(*pod, timeout=30)
        try:
            headers = {name: self.headers[name] for name in _KEPT if name in self.headers}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as err:
            return 502, f"{pod} of {service['metadata']['name']}: {err!r}".encode()
        finally:
            connection.close()


def _is_of(route: Object, gateway: Gateway) -> bool:
    parent = route["spec"]["parentRefs"][0]
    where = parent.get("namespace", route["metadata"]["namespace"])
    return (parent["name"], where) == (gateway.name, gateway.namespace)


def _names(route: Object) -> list[str]:
    (rule,) = route["spec"]["rules"]
    copies = [one["requestMirror"]["backendRef"] for one in rule.get("filters", [])]
    return [one["name"] for one in [*rule["backendRefs"], *copies]]


def _holds(route: Object, kind: str) -> bool:
    (parent,) = route["status"]["parents"]
    return any(one["type"] == kind and one["status"] == "True" for one in parent["conditions"])


def _condition(metadata: Object, kind: str, reason: str, said: str, *, holds: bool) -> Object:
    return {
        "type": kind,
        "status": str(holds),
        "reason": reason,
        "message": said,
        "observedGeneration": metadata["generation"],
        "lastTransitionTime": now(),
    }
