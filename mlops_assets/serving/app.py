"""The endpoint's API: a bare ASGI application, because every layer above it costs more than a row.

A request is answered whole or not at all, by one version. One thread per worker computes, so that
the event loop stays free for health checks and refusals.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from mlops_assets.errors import FeatureStoreError
from mlops_assets.records.serving import Servable
from mlops_assets.serving import metrics
from mlops_assets.serving.holder import Active, ModelHolder
from mlops_assets.serving.http import (
    HTML,
    JSON,
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
from mlops_assets.serving.model import FeatureRow
from mlops_assets.serving.online import OnlineRows
from mlops_assets.serving.openapi import DOCS_PAGE, describe
from mlops_assets.serving.rollout import Mirror, choose

logger = logging.getLogger(__name__)

Answer = tuple[bytes, str]


class EndpointApp:
    """Routes requests to whatever `holder` serves at that moment."""

    def __init__(self, holder: ModelHolder | None = None) -> None:
        """Without a holder every request is answered 503 until `attach`."""
        self._holder = holder
        self._compute = ThreadPoolExecutor(1, thread_name_prefix="predict")
        self._mirror = Mirror()
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

    def attach(self, holder: ModelHolder) -> None:
        """Serve what `holder` holds."""
        self._holder = holder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            body, media = await self._route(scope)(scope, receive)
        except ClientGoneError:
            return
        except RequestError as err:
            await send_error(send, err)
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            message = "the endpoint failed; its log says why"
            await send_error(send, RequestError(500, "internal_error", message))
        else:
            await send_bytes(send, 200, body, media)

    def _route(self, scope: Scope) -> Callable[[Scope, Receive], Awaitable[Answer]]:
        path, method = scope["path"], scope["method"]
        if path not in self._routes:
            known = ", ".join(self._routes)
            raise RequestError(404, "unknown_path", f"no {path[:100]!r} here; there are {known}")
        allowed, handler = self._routes[path]
        if method != allowed:
            raise RequestError(
                405, "wrong_method", f"{path} takes {allowed}", headers={"allow": allowed}
            )
        return handler

    def _active(self) -> Active:
        active = self._holder.active if self._holder else None
        if active is None:
            raise RequestError(
                503, "no_model", "no model is loaded yet; try again", headers={"retry-after": "5"}
            )
        return active

    async def _predict(self, scope: Scope, receive: Receive) -> Answer:
        active = self._active()
        body = await read_body(scope, receive, active.manifest.max_body_bytes)
        entities = active.decoder.entities(body)
        return await self._run(
            _predict_entities, choose(active, entities[0]), entities, entities[0]
        )

    async def _predict_features(self, scope: Scope, receive: Receive) -> Answer:
        active = self._active().by_features()
        body = await read_body(scope, receive, active.manifest.max_body_bytes)
        rows, key = active.decoder.rows(body), uuid.uuid4().hex
        return await self._run(_predict_rows, choose(active, key), rows, key)

    async def _run(
        self,
        predict: Callable[[Active, Any], list[dict[str, Any]]],
        active: Active,
        asked: Any,
        key: int | str,
    ) -> Answer:
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        try:
            predictions = await loop.run_in_executor(self._compute, predict, active, asked)
        except Exception as err:
            if active.tally is not None:
                active.tally.failed(err)
            raise
        servable = active.model.servable
        body = msgspec.json.encode(
            {
                "request_id": uuid.uuid4().hex,
                "model_name": servable.model_name,
                "model_version": servable.model_version,
                "predictions": predictions,
            }
        )
        seconds = time.perf_counter() - started
        metrics.observe(servable.model_name, servable.model_version, len(predictions), seconds)
        if active.tally is not None:
            active.tally.answered(seconds, predictions)
            self._mirror.copy(active, predict, asked, key)
        return body, JSON

    async def _model(self, _scope: Scope, _receive: Receive) -> Answer:
        active = self._active()
        servable, manifest = active.model.servable, active.manifest
        facts = {
            **servable.model_dump(mode="json"),
            "generation": manifest.generation,
            "max_rows": manifest.max_rows,
            "max_body_bytes": manifest.max_body_bytes,
            "features_ttl_seconds": manifest.online.view.ttl.total_seconds(),
            "features_as_of": manifest.online.as_of,
        }
        return msgspec.json.encode(facts), JSON

    async def _metrics(self, _scope: Scope, _receive: Receive) -> Answer:
        # In a thread of its own: it reads one file per worker that ever ran.
        return await asyncio.to_thread(metrics.render), metrics.CONTENT_TYPE

    async def _livez(self, _scope: Scope, _receive: Receive) -> Answer:
        return b"alive\n", TEXT

    async def _readyz(self, _scope: Scope, _receive: Receive) -> Answer:
        self._active()
        return b"ready\n", TEXT

    async def _docs(self, _scope: Scope, _receive: Receive) -> Answer:
        return DOCS_PAGE, HTML

    async def _openapi(self, _scope: Scope, _receive: Receive) -> Answer:
        active = self._active()
        return msgspec.json.encode(describe(active.model.servable, active.manifest)), JSON


def _predict_entities(active: Active, entities: Sequence[int | str]) -> list[dict[str, Any]]:
    try:
        found = active.online.lookup(entities)
    except FeatureStoreError as err:
        logger.warning("%s", err)
        raise RequestError(503, "feature_store_unavailable", str(err)) from err
    _require_all_found(found)
    key = active.model.servable.entity.name
    predictions = _predict_rows(active, found.rows)
    for prediction, entity, as_of in zip(predictions, entities, found.as_of, strict=True):
        prediction |= {key: entity, "features_as_of": _iso(as_of)}
    return predictions


def _require_all_found(found: OnlineRows) -> None:
    unknown = [{"entity": entity, "reason": "unknown"} for entity in found.unknown]
    stale = [
        {
            "entity": item.entity,
            "reason": "stale",
            "features_as_of": _iso(item.features_as_of),
            "age_seconds": item.age.total_seconds(),
        }
        for item in found.stale
    ]
    if unknown:
        message = f"no features of {found.unknown[:10]}; materialize them, or ask for others"
        raise RequestError(404, "unknown_entity", message, details=[*unknown, *stale])
    if stale:
        ids = [item.entity for item in found.stale[:10]]
        message = f"the features of {ids} are older than their time to live; materialize newer ones"
        raise RequestError(409, "stale_features", message, details=stale)


def _predict_rows(active: Active, rows: Sequence[FeatureRow]) -> list[dict[str, Any]]:
    try:
        scores = active.model.scores(rows)
    except ValueError as err:  # scikit-learn's refusals: a missing or a huge value, a new category
        nulls = sorted({name for row in rows for name, value in row.items() if value is None})
        details = [{"field": name, "message": "is null in some row"} for name in nulls]
        reason = str(err).partition("\n")[0][:300]
        message = f"the model refuses these features: {reason}"
        raise RequestError(422, "features_refused", message, details=details) from err
    if not np.isfinite(scores).all():
        bad = [int(row) for row in np.flatnonzero(~np.isfinite(scores).all(axis=1))]
        details = [{"field": f"$.rows[{row}]", "message": "the result is no number"} for row in bad]
        raise RequestError(
            422, "features_refused", "the model's answer is not finite", details=details
        )
    return [_prediction(active.model.servable, row) for row in scores]


def _prediction(servable: Servable, scores: np.ndarray) -> dict[str, Any]:
    if servable.task != "multiclass":
        return {"prediction": float(scores[0])}
    probabilities = dict(zip(servable.classes, scores.tolist(), strict=True))
    return {"prediction": servable.classes[int(scores.argmax())], "probabilities": probabilities}


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
