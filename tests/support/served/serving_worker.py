"""One worker over an endpoint's folder, without a server: what it answers and what it reports."""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.files import VERIFIED_FILE
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.serving.api.app import EndpointApp
from mlops_assets.serving.online.lookup import EntityId, OnlineLookup, OnlineRows, StaleEntity
from mlops_assets.serving.version.holder import ModelHolder, read_manifest
from resources.endpoints.folder import EndpointFolder
from tests.support.served.served_models import AS_OF, DTYPES, ONLINE, VIEW, Built, no_online

SETTINGS = DeploymentSettings(port=3000, max_rows=5, max_body_bytes=1000)


class StubLookup:
    """The rows of `ONLINE`, in memory; entity 500 breaks the store."""

    is_short = False

    def __init__(self, online: OnlineFeatures) -> None:
        if "broken" in online.store:
            raise FeatureStoreError("no such store")
        self._as_of = online.as_of or AS_OF

    def lookup(self, entities: Sequence[EntityId]) -> OnlineRows:
        if 500 in entities:
            raise FeatureStoreError("the store is down")
        known = {entity: (time, features) for entity, time, *features in ONLINE}
        found = OnlineRows()
        for entity in entities:
            if entity not in known:
                found.unknown.append(entity)
                continue
            time, values = known[entity]
            if (age := self._as_of - time) > VIEW.ttl:
                found.stale.append(StaleEntity(entity, time, age, VIEW.ttl))
                continue
            plain = [None if value != value else value for value in values]
            found.rows.append(dict(zip(DTYPES, plain, strict=True)))
            found.as_of.append(time)
        return found


class Worker:
    """An endpoint's folder and one worker over it, without a server."""

    def __init__(
        self, folder: Path, open_online: Callable[[OnlineFeatures], OnlineLookup] | None = None
    ) -> None:
        self.folder = EndpointFolder(folder)
        self.holder = ModelHolder(folder, open_online or StubLookup)
        self.app = EndpointApp(self.holder)

    def serve(self, built: Built, online: OnlineFeatures | None = None) -> None:
        version = self.folder.stage(built.servable, built.model_file, built.recorded)
        wanted = self.folder.wanted(built.servable, version, online or no_online(), SETTINGS)
        self.folder.write(wanted)
        self.holder.reconcile()

    def status(self) -> dict:
        (file,) = (self.folder.path / "status").glob("*.json")
        return json.loads(file.read_bytes())

    def call(self, method: str, path: str, body: bytes = b"") -> "Response":
        async def receive() -> dict:
            return {"type": "http.request", "body": body, "more_body": False}

        return Response(drive(self.app, method, path, receive))

    def post(self, path: str, content: object) -> "Response":
        body = content if isinstance(content, bytes) else msgspec.json.encode(content)
        return self.call("POST", path, body)


def worker_of(model: str, resources: dict[str, Any]) -> Worker:
    """What serves the version that a fake deployed, without a server before it."""
    folder = Path(resources["deployment"].root, model)
    worker, wanted = Worker(folder), read_manifest(folder, VERIFIED_FILE)
    assert wanted is not None
    worker.folder.write(wanted)
    worker.holder.reconcile()
    return worker


class Response:
    def __init__(self, messages: list[dict]) -> None:
        start, body = messages
        self.status_code = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.text = body["body"].decode()

    def json(self) -> dict:
        return json.loads(self.text)


def drive(
    app: EndpointApp,
    method: str,
    path: str,
    receive: Callable,
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> list[dict]:
    """Call the application as a server would; what it sent."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(app(scope, receive, send))
    return sent


def features(*rows: dict) -> dict:
    return {"rows": list(rows)}
