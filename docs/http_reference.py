"""Write docs/reference/http.md from the endpoint's OpenAPI document; held by a test."""

from pathlib import Path
from typing import Any

from docs.assets_reference import table
from mlops_assets.blocks.data import EntitySettings
from mlops_assets.blocks.operation import RateLimitSettings
from mlops_assets.records.serving import EndpointLimits, Inference, Manifest, Servable
from mlops_assets.serving.api.openapi import openapi_document

TARGET = Path(__file__).with_name("reference") / "http.md"
_HEADER = """\
# HTTP API of an endpoint

```console
$ curl -s http://127.0.0.1:8101/predict -d '{"entities": [1, 2]}'
$ curl -s http://127.0.0.1:8101/predict_features -d '{"rows": [{"recency_days": 3, "plan": null}]}'
```

Each endpoint describes itself at `/openapi.json`, and to a person at `/docs`, with the names,
types and limits of its model; below are those of a model with an `entity`, keys and a rate limit.
A model without an `entity` has no `/predict`.

Written by `docs/http_reference.py`.
"""
_NOTES = """\
In a pod there is also `POST /trial` with `{"step": 7}`, for the deployer's own key alone: what the
pod's version did in that step of a [canary or shadow](../how-to/canary.md), counted from the first
time that the step is named.

A refusal is `{"error": {"code": ..., "message": ..., "details": [...]}}` and names the field or
the entities. The limits are those of the [model](../how-to/keys.md). A head of more than 100
headers or 64 kB is 431 before it is kept, and ends the connection, also in a built Bento.

## Entities, categories and moments

`/predict` answers in the order asked for. In the place of an entity that the online store does
not have stands `{"customer_id": 7, "error": {"code": "unknown_entity", "message": ...}}`, of one
whose features are older than their `features.ttl` `stale_features` with `features_as_of` and
`age_seconds`; the others are answered. (What has expired before it is published is kept by its
moment alone, and only in a sqlite store; in another it is unknown.) When none can be, the request
is refused with the same in `details`: 404 if one of them is unknown, else 409. What is refused is
neither logged nor counted as a prediction; `model_entities_refused_total{reason}` counts it.
`mlops predict` then ends with exit code 1. A category that the training never saw is answered as
its encoding has it (one-hot: none of the known ones; ordinal: a code of its own; target: the
mean); the answer has `"unseen_categories": ["grade"]` beside its prediction, and
`model_unseen_categories_total{feature}` counts them. An entity of a historical replay
(`features.clock: data`) ages against the newest feature, not against today; under `clock: wall`
features whose newest row is older than the TTL are refused before the training.

Every moment is UTC to the microsecond, from the contract to `features_as_of`; finer fractions are
dropped. `TZ` moves none: the online store holds each with its zone. A sqlite store that an
earlier release wrote (whole seconds, by the clock of `TZ`) is read as before, and the next `mlops
run` publishes it anew. Stores with a server keep what they can: MySQL, SingleStore and HBase
whole seconds, Cassandra, ScyllaDB, MongoDB and Aerospike milliseconds; the checks compare at that
resolution.
"""


def page() -> str:
    """The whole page as Markdown."""
    calls = [
        (f"`{method.upper()} {path}`", operation)
        for path, methods in _document()["paths"].items()
        for method, operation in methods.items()
    ]
    rows = [(name, one["summary"], ", ".join(sorted(one["responses"]))) for name, one in calls]
    refusals = {
        code: answer["description"]
        for _, one in reversed(calls)  # of /predict, where several say it
        for code, answer in one["responses"].items()
        if code != "200"
    }
    return (
        "\n".join(
            [
                _HEADER,
                *("## Calls", "", *table(("call", "what it does", "status"), rows), ""),
                *("## Refusals", "", *table(("status", "when"), sorted(refusals.items())), ""),
                _NOTES,
            ]
        ).rstrip("\n")
        + "\n"
    )


def _document() -> dict[str, Any]:
    servable = Servable(
        model_name="customers",
        model_version=1,
        task="binary",
        entity=EntitySettings(name="customer_id", dtype="int64"),
        features={"recency_days": "float64", "plan": "string"},
        sha256="",
        inference=Inference(reason=""),
    )
    limits = EndpointLimits(
        key_digests=("0" * 64,), rate_limit=RateLimitSettings(per_second=50, burst=100)
    )
    return openapi_document(servable, Manifest.model_construct(max_rows=1000, limits=limits))


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
