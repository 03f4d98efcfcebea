"""The OpenAPI document of one endpoint: exactly what its application accepts and answers."""

from pathlib import Path
from typing import Any

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.records.serving import EndpointLimits, Manifest, Servable
from mlops_assets.serving.wire.refusals import STALE, UNKNOWN

Schema = dict[str, Any]

DOCS_PAGE = Path(__file__).with_name("docs.html").read_bytes()
"""Shows the document to a person; loads nothing but `/openapi.json`."""

_MESSAGES = {
    "400": "The body is not JSON.",
    "401": "No key was sent, or one that is not known.",
    "403": "Asked under a foreign name, or by a web page that may not ask.",
    "404": "No entity can be answered, and some have no features; details lists all.",
    "408": "The body did not arrive in time; the connection is closed.",
    "409": "The features of all entities are too old; details lists them with their ages.",
    "413": "The body is too long.",
    "415": "The body is compressed.",
    "422": "A field is missing, unknown, sent twice or of a wrong type, or the model refuses it.",
    "429": "Too many requests; `retry-after` says in how many seconds to come again.",
    "500": "A fault of the endpoint.",
    "503": "No model is loaded yet, the online store does not answer, or too many ask at once.",
    "504": "The answer was not ready in time.",
    "507": "The prediction cannot be logged, and must be; nothing was answered.",
}


def openapi_document(servable: Servable, manifest: Manifest) -> Schema:
    """Describe the endpoint that serves `servable` under `manifest`."""
    rows = {"minItems": 1, "maxItems": manifest.max_rows}
    guarded = ("403", "500", "503", "504", *_refusals(manifest.limits))
    predicting = (*guarded, "507") if manifest.log.enabled else guarded
    document = {
        "openapi": "3.1.0",
        "info": {"title": servable.model_name, "version": str(servable.model_version)},
        "paths": {
            **_by_id(servable, rows, predicting),
            "/predict_features": _post(
                "Predict for rows of features; null means missing.",
                _object({"rows": {"type": "array", "items": _row(servable), **rows}}),
                _answer(servable, _prediction(servable, {})),
                ("400", "408", "413", "415", "422", *predicting),
            ),
            "/model": _get("What is served now.", "application/json", guarded),
            "/openapi.json": _get("This document.", "application/json", guarded),
            "/metrics": _open("Prometheus metrics of all workers.", "text/plain", _FOREIGN),
            "/livez": _open("Whether the process answers.", "text/plain"),
            "/readyz": _open("Whether a model is loaded.", "text/plain", {"503": _NOT_READY}),
            "/docs": _open("This document as a page.", "text/html", _FOREIGN),
            "/": _open("The same page.", "text/html", _FOREIGN),
        },
    }
    return document | (_KEYS if manifest.limits.key_digests else {})


def _by_id(servable: Servable, rows: Schema, predicting: tuple[str, ...]) -> Schema:
    """The path for entities; none where the model has no entity."""
    if servable.entity is None:
        return {}
    entity = _entity(servable, servable.entity)
    predicted = _prediction(servable, {servable.entity.name: entity, "features_as_of": _MOMENT})
    refused = _object({servable.entity.name: entity, "error": {"anyOf": [_UNKNOWN, _STALE]}})
    return {
        "/predict": _post(
            "Predict for entities, with their features from the online store. Answers in the "
            "order asked for; an entity without fresh features gets an error in its place.",
            _object({"entities": {"type": "array", "items": entity, **rows}}),
            _answer(servable, {"anyOf": [predicted, refused]}),
            ("400", "404", "408", "409", "413", "415", "422", *predicting),
        )
    }


_NOT_READY = {"description": "Not yet.", "content": {}}

_KEYS: Schema = {
    "components": {
        "securitySchemes": {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
    },
    "security": [{"bearer": []}, {"header": []}],
}


def _refusals(limits: EndpointLimits) -> tuple[str, ...]:
    """What the guard answers on top, as it is configured."""
    unknown = ("401",) if limits.key_digests else ()
    return (*unknown, "429") if limits.rate_limit else unknown


def _entity(servable: Servable, entity: EntitySettings) -> Schema:
    title = _title(servable, entity.name)
    if entity.dtype == "string":
        return {"type": "string", **title}
    return {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1, **title}


def _row(servable: Servable) -> Schema:
    types = {"float64": "number", "string": "string"}
    return _object(
        {
            name: {"type": [types[kind], "null"], **_title(servable, name)}
            for name, kind in servable.features.items()
        }
    )


def _title(servable: Servable, name: str) -> Schema:
    return {"title": servable.titles[name]} if name in servable.titles else {}


def _prediction(servable: Servable, extra: Schema) -> Schema:
    prediction: Schema = {"prediction": {"type": "number"}}
    if servable.task == "binary":
        described = {"type": "number", "minimum": 0, "maximum": 1}
        prediction = {"prediction": {**described, "description": "Of the positive class."}}
    if servable.task == "multiclass":
        share = {"type": "number", "minimum": 0, "maximum": 1}
        prediction = {
            "prediction": {"type": "string", "enum": list(servable.classes)},
            "probabilities": _object(dict.fromkeys(servable.classes, share)),
        }
    return _object({**prediction, **extra}, _unseen(servable))


def _unseen(servable: Servable) -> Schema:
    """What an answer says beside, if there is something to say."""
    if not servable.categories:
        return {}
    features = {"type": "string", "enum": list(servable.categories)}
    about = "Features with a category that the training never saw; absent if there is none."
    return {"unseen_categories": {"type": "array", "items": features, "description": about}}


def _answer(servable: Servable, one: Schema) -> Schema:
    return _object(
        {
            "request_id": {"type": "string"},
            "model_name": {"type": "string", "const": servable.model_name},
            "model_version": {"type": "integer"},
            "predictions": {"type": "array", "items": one},
        }
    )


def _object(properties: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": properties | (optional or {}),
        "required": list(properties),
        "additionalProperties": False,
    }


def _post(summary: str, request: Schema, answer: Schema, errors: tuple[str, ...]) -> Schema:
    return {
        "post": {
            "summary": summary,
            "requestBody": {"required": True, "content": _json(request)},
            "responses": {
                "200": {"description": "One answer for each row.", "content": _json(answer)},
                **_errors(errors),
            },
        }
    }


def _get(summary: str, media: str, errors: tuple[str, ...]) -> Schema:
    ok = {"description": summary, "content": {media: {}}}
    return {"get": {"summary": summary, "responses": {"200": ok, **_errors(errors)}}}


def _open(summary: str, media: str, others: Schema | None = None) -> Schema:
    """What anybody may get."""
    described = _get(summary, media, ())
    described["get"]["responses"] |= others or {}
    described["get"]["security"] = []
    return described


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


_MOMENT: Schema = {"type": "string", "format": "date-time"}

_UNKNOWN = _object({"code": {"const": UNKNOWN}, "message": {"type": "string"}})

_STALE = _object(
    {
        "code": {"const": STALE},
        "message": {"type": "string"},
        "features_as_of": _MOMENT,
        "age_seconds": {"type": "number"},
    }
)


def _errors(codes: tuple[str, ...]) -> Schema:
    detail = {"type": "object"}
    error = _object(
        {
            "code": {"type": "string"},
            "message": {"type": "string"},
            "details": {"type": "array", "items": detail},
        }
    )
    content = _json(_object({"error": error}))
    return {code: {"description": _MESSAGES[code], "content": content} for code in codes}


_FOREIGN = _errors(("403",))
