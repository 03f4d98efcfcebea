"""What one request computes and logs, in a thread and by one version.

The rows are in the log before the answer leaves: what a client was told, monitoring knows.
"""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from math import isfinite
from typing import Any

import msgspec

from mlops_assets.errors import FeatureStoreError, PredictionLogFullError
from mlops_assets.ml.inference.log_lines import LogLine
from mlops_assets.records.serving import Servable
from mlops_assets.serving.api import metrics
from mlops_assets.serving.online.lookup import EntityId
from mlops_assets.serving.version.active import Active
from mlops_assets.serving.version.model import FeatureRow
from mlops_assets.serving.wire.http import RequestError
from mlops_assets.serving.wire.refusals import iso, nulls, refusals, require_some_answered

Place = tuple[int, EntityId, datetime]
"""Of features from the store: which row of the request they are for, whose, and as of when."""
logger = logging.getLogger(__name__)

_LINES = msgspec.json.Encoder()


@dataclass(frozen=True)
class Asked:
    """A request as it came: entities or rows of features."""

    content: Sequence[Any]
    request_id: str = field(default_factory=lambda: os.urandom(16).hex())
    logged: bool = True
    """False for the deployer's own checks: they are no traffic to be monitored."""
    started: float = field(default_factory=time.perf_counter)


def predict_entities(active: Active, asked: Asked) -> list[dict[str, Any]]:
    """Predict for entities, from their features in the online store.

    Returns:
        In the order asked for, predictions, or an `error` for an entity without fresh features.

    Raises:
        RequestError: No entity has fresh features, the store does not answer, the model refuses,
            or the log is full.
    """
    entities = asked.content
    try:
        found = active.online.lookup(entities)
    except FeatureStoreError as err:
        logger.warning("%s", err)
        raise RequestError(503, "feature_store_unavailable", str(err)) from err
    refused = refusals(found)
    if refused and active.role != "shadow":  # which is asked once more what was refused already
        codes = [refused[entity]["code"] for entity in entities if entity in refused]
        metrics.count_refused(active.manifest.model_name, codes)
    require_some_answered(entities, refused)
    times = iter(found.as_of)
    kept = enumerate(entities)
    places = [(row, entity, next(times)) for row, entity in kept if entity not in refused]
    scores = _scores(active, found.rows, places)
    _log(active, asked, scores, found.rows, places)
    key = active.model.servable.key.name
    answers = _predictions(active, asked, found.rows, scores)
    for (_, entity, as_of), one in zip(places, answers, strict=True):
        one[key], one["features_as_of"] = entity, iso(as_of)
    if not refused:
        return answers
    rest = iter(answers)
    return [
        {key: entity, "error": refused[entity]} if entity in refused else next(rest)
        for entity in entities
    ]


def predict_rows(active: Active, asked: Asked) -> list[dict[str, Any]]:
    """Predict for rows of features; `RequestError` if the model refuses, or the log is full."""
    scores = _scores(active, asked.content)
    _log(active, asked, scores, asked.content)
    return _predictions(active, asked, asked.content, scores)


def _predictions(
    active: Active, asked: Asked, rows: Sequence[FeatureRow], scores: Sequence[list[float]]
) -> list[dict[str, Any]]:
    """What each row is answered; with the features whose category was new to the model, if any."""
    servable, unseen = active.model.servable, active.model.unseen(rows)
    predictions = [_prediction(servable, one) for one in scores]
    for row, names in unseen.items():
        predictions[row]["unseen_categories"] = names
    if unseen and asked.logged and active.role != "shadow":
        metrics.count_unseen(servable.model_name, chain.from_iterable(unseen.values()))
    return predictions


def _scores(
    active: Active, rows: Sequence[FeatureRow], online: Sequence[Place] | None = None
) -> list[list[float]]:
    """A list for each row; `RequestError` if the model refuses one, or its answer is no number."""
    try:
        scores: list[list[float]] = active.model.scores(rows).tolist()
    except ValueError as err:  # scikit-learn's refusals: a missing or a huge value, a new category
        reason = str(err).partition("\n")[0][:300]
        message = f"the model refuses these features: {reason}"
        details = nulls(_by_place(rows, online), _asked_by(online))
        raise RequestError(422, "features_refused", message, details=details) from err
    if bad := [row for row, answer in enumerate(scores) if not all(map(isfinite, answer))]:
        asked = list(_by_place(rows, online).items())
        refused = dict(asked[row] for row in bad)
        by = _asked_by(online)
        none = [{"field": f"$.{by}[{at}]", "message": "the result is no number"} for at in refused]
        message = "the model refuses these features: its answer is not finite"
        raise RequestError(422, "features_refused", message, details=nulls(refused, by) or none)
    return scores


def _asked_by(online: Sequence[Place] | None) -> str:
    """What the request calls that of which the places are."""
    return "entities" if online else "rows"


def _by_place(rows: Sequence[FeatureRow], online: Sequence[Place] | None) -> dict[int, FeatureRow]:
    """The rows by their places in the request, which also holds those without features."""
    places = [place for place, _, _ in online] if online else range(len(rows))
    return dict(zip(places, rows, strict=True))


def _log(
    active: Active,
    asked: Asked,
    scores: Sequence[list[float]],
    rows: Sequence[dict[str, Any]],
    online: Sequence[Place] | None = None,
) -> None:
    """Append one line per row, or refuse or go on without, as configured.

    Of features from the store, `online` is each row's place in the request, entity and time.
    """
    manifest = active.manifest
    if not (manifest.log.enabled and asked.logged):
        return
    now, clock = time.time(), manifest.online.as_of
    event = clock.timestamp() if clock else now
    places = online or [(number, None, None) for number in range(len(rows))]
    servable, request_id, role = active.model.servable, asked.request_id, active.role
    features, version, generation = servable.features, servable.model_version, manifest.generation
    source, seconds = "online" if online else "request", time.perf_counter() - asked.started
    lines = [
        LogLine(
            request_id=request_id,
            row=number,
            logged_at=now,
            event_time=event,
            source=source,
            role=role,
            entity=entity,
            features_as_of=as_of.timestamp() if as_of else None,
            features=_only(features, row),
            scores=answer,
            model_version=version,
            generation=generation,
            latency_seconds=seconds,
            predicted=_likeliest(servable, answer),
        )
        for (number, entity, as_of), row, answer in zip(places, rows, scores, strict=True)
    ]
    try:
        active.log.append(_LINES.encode_lines(lines), manifest.log)
    except PredictionLogFullError as err:
        metrics.LOG_FAILURES.labels(manifest.model_name).inc()
        if manifest.log.on_full == "refuse":
            raise RequestError(507, "prediction_log_full", str(err)) from err


def _only(features: Mapping[str, str], row: dict[str, Any]) -> dict[str, Any]:
    """The row without what the model is not fed; itself, as a rule."""
    return row if len(row) == len(features) else {name: row[name] for name in features}


def _prediction(servable: Servable, scores: list[float]) -> dict[str, Any]:
    if servable.task != "multiclass":
        return {"prediction": scores[0]}
    probabilities = dict(zip(servable.classes, scores, strict=True))
    return {"prediction": _likeliest(servable, scores), "probabilities": probabilities}


def _likeliest(servable: Servable, scores: list[float]) -> str | None:
    """The class that is predicted; None of a model without."""
    return servable.classes[scores.index(max(scores))] if servable.classes else None
