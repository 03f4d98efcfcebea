"""The HTTP side: paths, selectors, logs, and a record of what was asked."""

import copy
import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.kubernetes_api.admission import Policy, Request
from tests.kubernetes_api.objects import KINDS, Object, Refused, matches

if TYPE_CHECKING:
    from tests.kubernetes_api.cluster import Cluster

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)/namespaces/(?P<namespace>[^/]+)"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<part>[^/]+))?)?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Asked(NamedTuple):
    """What RBAC sees of a request."""

    verb: str
    group: str
    resource: str


class Target(NamedTuple):
    """What a path names."""

    group: str
    namespace: str
    plural: str
    name: str
    part: str

    @classmethod
    def of(cls, path: str) -> "Target":
        found = _PATH.fullmatch(path)
        if found is None or found["plural"] not in KINDS:
            raise Refused(404, f"the server could not find the requested resource: {path}")
        parts = ("group", "namespace", "plural", "name", "part")
        return cls(*(found[part] or "" for part in parts))


class ApiServer(ThreadingHTTPServer):
    """Answers for one cluster on a free port of 127.0.0.1."""

    daemon_threads = True

    def __init__(
        self,
        cluster: "Cluster",
        allowed: Mapping[str, set[Asked]] | None,
        policies: Sequence[Policy] = (),
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cluster = cluster
        self.asked: set[Asked] = set()
        self.asked_by: dict[str, set[Asked]] = {}
        """By account."""
        self.allowed = allowed
        """By Roles, of each account; None: everything."""
        self.policies = policies
        self.away_until, self.drops = 0.0, False
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def go_away(self, seconds: float, *, drops: bool) -> None:
        """Answer nothing for a while, or 503 as a load balancer in front of it would."""
        self.drops, self.away_until = drops, time.monotonic() + seconds

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or "null")
        away = time.monotonic() < self.server.away_until
        if away and self.server.drops:
            self.close_connection = True
            return
        try:
            if away:
                raise Refused(503, "no server is there to answer")
            if self.server.cluster.failures:
                raise Refused(
                    500, f"the fake cluster itself failed: {self.server.cluster.failures}"
                )
            target = Target.of(url.path)
            self._record(target)
            with self.server.cluster.objects.lock:
                found = self._do(target, query, body)
                content = found if isinstance(found, bytes) else json.dumps(found).encode()
            self._send(200, content)
        except Refused as err:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
            status |= {"code": err.code, "message": str(err), "reason": type(err).__name__}
            self._send(err.code, json.dumps(status).encode())

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer

    def _send(self, code: int, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _record(self, target: Target) -> None:
        verb = _VERBS.get(self.command) or ("get" if target.name else "list")
        resource = f"{target.plural}/{target.part}" if target.part else target.plural
        self._require(Asked(verb, target.group, resource))

    def _require(self, asked: Asked) -> None:
        account = self._account()
        self.server.asked.add(asked)
        self.server.asked_by.setdefault(account, set()).add(asked)
        allowed = self.server.allowed
        if allowed is not None and asked not in allowed.get(account, set()):
            what = f'"{asked.resource}" in {asked.group}'
            raise Refused(403, f"{account} cannot {asked.verb} resource {what}")

    def _account(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _admit(self, verb: str, target: Target, wanted: Object) -> None:
        account, (group, namespace, plural, *_) = self._account(), target
        request = Request(account, verb, group, plural, namespace, wanted)
        for policy in self.server.policies:
            policy.require(request)

    def _do(self, target: Target, query: dict[str, str], body: Object) -> object:
        objects = self.server.cluster.objects
        _, namespace, plural, name, part = target
        if self.command == "POST":
            self._admit("create", target, body)
            return objects.create(plural, namespace, body)
        if not name:
            return {"kind": "List", "items": self._list(target, query)}
        there = objects.get(plural, namespace, name)
        if self.command == "PATCH":
            return self._patch(target, there, body)
        if there is None:
            raise Refused(404, f'{plural} "{name}" not found')
        if self.command == "DELETE":
            self.server.cluster.delete(plural, there, query.get("propagationPolicy", ""))
            return there
        if part == "log":
            return self.server.cluster.kubelet.log(name, query)
        return there

    def _list(self, target: Target, query: dict[str, str]) -> list[Object]:
        found = self.server.cluster.objects.of(target.plural, target.namespace)
        pairs = [one.split("=", 1) for one in query.get("labelSelector", "").split(",") if one]
        selector = {name.rstrip("="): value.lstrip("=") for name, value in pairs}
        fields = [one.split("=", 1) for one in query.get("fieldSelector", "").split(",") if one]
        return [
            one
            for one in found
            if matches(one["metadata"].get("labels"), selector)
            and all(_field(one, path) == value for path, value in fields)
        ]

    def _patch(self, target: Target, there: Object | None, body: Object) -> Object:
        objects = self.server.cluster.objects
        if self.headers["Content-Type"] == "application/apply-patch+yaml":
            if there is None:
                self._require(Asked("create", target.group, target.plural))
            wanted = body
        elif there is None:
            raise Refused(404, f'{target.plural} "{target.name}" not found')
        else:
            told = {
                part: there[part] for part in there if part != "status"
            }  # a resource of its own
            wanted = _merged(copy.deepcopy(told), body)
        self._admit("patch" if there else "create", target, wanted)
        return objects.apply(target.plural, target.namespace, target.name, wanted)


def _field(one: Object, path: str) -> object:
    for part in path.split("."):
        one = one.get(part, {})
    return one


def _merged(there: Object, change: Object) -> Object:
    """RFC 7386."""
    for name, value in change.items():
        if value is None:
            there.pop(name, None)
        elif isinstance(value, dict):
            there[name] = _merged(there.get(name) or {}, value)
        else:
            there[name] = value
    return there
