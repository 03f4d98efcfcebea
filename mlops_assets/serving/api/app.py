"""The endpoint's API: a bare ASGI application, because every layer above it costs more than a row.

A request is answered by one version; only entities without fresh features are left out of it. What
takes less than a thread's turn is computed where it is; all else by one thread per worker, so that
the event loop stays free for health checks and refusals.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from mlops_assets.serving.api import metrics
from mlops_assets.serving.api.gauges import state
from mlops_assets.serving.api.openapi import DOCS_PAGE, openapi_document
from mlops_assets.serving.api.predict import Asked, predict_entities, predict_rows
from mlops_assets.serving.api.rollout import Key, Mirror, Predict, choose, draws, timed
from mlops_assets.serving.version.active import Active
from mlops_assets.serving.version.holder import ModelHolder
from mlops_assets.serving.wire.http import (
    HTML,
    JSON,
    PREDICTING,
    TEXT,
    ClientGoneError,
    Receive,
    RequestError,
    Scope,
    Send,
    read_body,
    send_bytes,
    send_error,
)

logger = logging.getLogger(__name__)

Answer = tuple[bytes, str]


class TrialStep(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /trial`."""

    step: int
    """Any number of the deployer's; a new one begins the counting anew."""


class EndpointApp:
    """Routes requests to whatever `holder` serves at that moment."""

    def __init__(self, holder: ModelHolder) -> None:
        self._holder = holder
        self._compute = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._mirror, self._draws = Mirror(), draws()
        self._routes: dict[str, tuple[str, Callable[[Scope, Receive], Awaitable[Answer]]]] = {
            "/predict": ("POST", self._predict),
            "/predict_features": ("POST", self._predict_features),
            "/model": ("GET", self._model),
            "/metrics": ("GET", self._metrics),
            "/openapi.json": ("GET", self._openapi),
            "/livez": ("GET", self._livez),
            "/readyz": ("GET", self._readyz),
            "/docs": ("GET", self._docs),
            "/": ("GET", self._docs),
        }
        if holder.pod:
            self._routes["/trial"] = ("POST", self._trial)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            body, media = await self._route(scope)(scope, receive)
        except ClientGoneError:
            return
        except Exception as err:
            if not isinstance(err, RequestError):
                logger.exception("%s %s failed", scope["method"], scope["path"])
                err = RequestError(500, "internal_error", "the endpoint failed; its log says why")
            self.count(scope, err)
            await send_error(send, err)
        else:
            self.count(scope)
            await send_bytes(send, 200, body, media)

    def count(self, scope: Scope, err: RequestError | None = None) -> None:
        """Count a request for predictions by its outcome."""
        outcome: metrics.Outcome = "answered"
        if err is not None:
            outcome = "failed" if err.status >= 500 else "refused"
        active = self._holder.active
        if active is not None and active.role != "shadow" and scope["path"] in PREDICTING:
            metrics.count(active.manifest.model_name, outcome)

    def _route(self, scope: Scope) -> Callable[[Scope, Receive], Awaitable[Answer]]:
        path, method = scope["path"], scope["method"]
        if path not in self._routes:
            known = ", ".join(self._routes)
            raise RequestError(404, "unknown_path", f"no {path[:100]!r} here; there are {known}")
        allowed, handler = self._routes[path]
        # Of HEAD the server leaves the body out: what balancers and `curl -I` ask for.
        if method not in (taken := ("GET", "HEAD") if allowed == "GET" else (allowed,)):
            said = {"allow": ", ".join(taken)}
            raise RequestError(405, "wrong_method", f"{path} takes {allowed}", headers=said)
        return handler

    def _active(self) -> Active:
        if self._holder.active is None:
            raise RequestError(
                503, "no_model", "no model is loaded yet; try again", headers={"retry-after": "5"}
            )
        return self._holder.active

    async def _predict(self, scope: Scope, receive: Receive) -> Answer:
        active = self._active()
        body = await read_body(scope, receive, active.manifest.max_body_bytes)
        entities = active.decoder.entities(body)
        asked = Asked(entities, logged=not scope.get("unlogged"))
        return await self._run(predict_entities, choose(active, entities[0]), asked, entities[0])

    async def _predict_features(self, scope: Scope, receive: Receive) -> Answer:
        active = self._active().by_features()
        body = await read_body(scope, receive, active.manifest.max_body_bytes)
        asked = Asked(active.decoder.rows(body), logged=not scope.get("unlogged"))
        key = next(self._draws)
        return await self._run(predict_rows, choose(active, key), asked, key)

    async def _run(self, predict: Predict, active: Active, asked: Asked, key: Key) -> Answer:
        try:
            waits = predict is predict_entities and not active.online.is_short
            if active.is_quick(len(asked.content)) and not waits:
                computed, predictions = timed(predict, active, asked)
            else:
                loop = asyncio.get_running_loop()
                computed, predictions = await loop.run_in_executor(
                    self._compute, timed, predict, active, asked
                )
        except (Exception, asyncio.CancelledError) as err:  # cancelled: it took too long
            if active.tally is not None:
                active.tally.failed(err)
            raise
        active.pace.took(len(asked.content), computed)
        servable = active.model.servable
        body = msgspec.json.encode(
            {
                "request_id": asked.request_id,
                "model_name": servable.model_name,
                "model_version": servable.model_version,
                "predictions": predictions,
            }
        )
        seconds = time.perf_counter() - asked.started
        answered = sum("error" not in one for one in predictions)
        if active.role != "shadow":  # whose answers, in a pod of its own, nobody gets
            metrics.observe(servable.model_name, servable.model_version, answered, seconds)
        if active.tally is not None:
            # By its own time: each of two versions also waits behind the other one.
            active.tally.answered(computed, predictions)
            self._mirror.copy(active, predict, asked, key)
        return body, JSON

    async def _model(self, _scope: Scope, _receive: Receive) -> Answer:
        active = self._active()
        servable, manifest = active.model.servable, active.manifest
        view = manifest.online.view
        facts = {
            **servable.model_dump(mode="json", exclude={"categories"}),  # there may be thousands
            "data_version": (active.model.card or {}).get("data_version"),
            "model_card": active.model.card,
            "generation": manifest.generation,
            "fallback": self._holder.error,
            "max_rows": manifest.max_rows,
            "max_body_bytes": manifest.max_body_bytes,
            "features_ttl_seconds": view.ttl.total_seconds() if view.entity else None,
            "features_as_of": manifest.online.as_of,
            "online_lookup": {
                "kind": manifest.online.lookup,
                "reason": manifest.online.lookup_reason,
            },
            "prediction_log": {
                **manifest.log.model_dump(mode="json"),
                "failures": active.log.failures,
                "error": active.log.error,
            },
        }
        return msgspec.json.encode(facts), JSON

    async def _trial(self, scope: Scope, receive: Receive) -> Answer:
        """What this pod's version did in a step of a trial: the deployer, who asks, judges it."""
        if not scope.get("operator"):
            raise RequestError(403, "operator_only", "only the deployer's own key is told")
        body = await read_body(scope, receive, self._active().manifest.max_body_bytes)
        try:
            step = msgspec.json.decode(body, type=TrialStep).step
        except msgspec.DecodeError as err:
            raise RequestError(422, "bad_request", str(err)) from err
        return self._holder.count_step(step).model_dump_json().encode(), JSON

    async def _metrics(self, _scope: Scope, _receive: Receive) -> Answer:
        # In a thread of its own: it reads one file per worker that ever ran.
        return await asyncio.to_thread(self._render), metrics.CONTENT_TYPE

    def _render(self) -> bytes:
        if self._holder.active is None:
            return metrics.render()
        servable = self._holder.active.model.servable
        metrics.begin(servable.model_name, servable.categories)
        return metrics.render() + state(self._holder.endpoint, self._holder.active)

    async def _livez(self, _scope: Scope, _receive: Receive) -> Answer:
        return b"alive\n", TEXT

    async def _readyz(self, _scope: Scope, _receive: Receive) -> Answer:
        self._active()
        if self._holder.error:  # why, `/model` says: this needs no key
            return b"ready, but not with what is wanted\n", TEXT
        return b"ready\n", TEXT

    async def _docs(self, _scope: Scope, _receive: Receive) -> Answer:
        return DOCS_PAGE, HTML

    async def _openapi(self, _scope: Scope, _receive: Receive) -> Answer:
        active = self._active()
        return msgspec.json.encode(openapi_document(active.model.servable, active.manifest)), JSON
