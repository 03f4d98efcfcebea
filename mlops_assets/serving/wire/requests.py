"""What a client may send: decoded strictly, every refusal with the path of the field.

A feature may be null, which means missing: the model was fitted on such rows, or refuses them when
it is asked. Everything else that is not exactly the declared type is an error.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import msgspec

from mlops_assets.records.serving import Servable
from mlops_assets.serving.wire.http import RequestError

_MISSING = re.compile(r"^Object missing required field `(.+)`$")
_SURROGATE = re.compile("[\ud800-\udfff]")
_INT64 = msgspec.Meta(ge=-(2**63), le=2**63 - 1)


class RequestDecoder:
    """Decodes the two kinds of request of one model version."""

    def __init__(self, servable: Servable, max_rows: int) -> None:
        """Build the types that `servable` prescribes."""
        self._features = tuple(servable.features)
        rows = msgspec.Meta(min_length=1, max_length=max_rows)
        self._servable = servable
        whole = servable.entity is None or servable.entity.dtype == "int64"
        entity: Any = Annotated[int, _INT64] if whole else str
        # Fields are numbered and renamed, since a feature may be called `class`.
        kinds = {"float64": float | None, "string": str | None}
        row: Any = msgspec.defstruct(
            "Row",
            [(f"f{i}", kinds[dtype]) for i, dtype in enumerate(servable.features.values())],
            rename={f"f{i}": name for i, name in enumerate(self._features)},
            forbid_unknown_fields=True,
        )
        self._entities = _decoder("entities", Annotated[list[entity], rows])
        self._rows = _decoder("rows", Annotated[list[row], rows])

    def entities(self, body: bytes) -> list[int | str]:
        """Decode `{"entities": [...]}`; refused by 400, 422, or without an entity 404."""
        if self._servable.entity is None:
            message = (
                f"{self._servable.model_name} has no entity, so it cannot be asked by id; send "
                "rows of features to /predict_features"
            )
            raise RequestError(404, "no_entity", message)
        decoded = _decode(self._entities, body)
        _require_distinct_keys(body, 1)
        return decoded.entities

    def rows(self, body: bytes) -> list[dict[str, float | str | None]]:
        """Decode `{"rows": [{feature: value}]}`, or refuse it by 400 or 422."""
        decoded = _decode(self._rows, body).rows
        _require_distinct_keys(body, 1 + len(decoded) * len(self._features))
        return [
            dict(zip(self._features, msgspec.structs.astuple(row), strict=True)) for row in decoded
        ]


def _decoder(field: str, kind: Any) -> msgspec.json.Decoder[Any]:
    request = msgspec.defstruct("Request", [(field, kind)], forbid_unknown_fields=True)
    return msgspec.json.Decoder(request)


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as err:
        raise _invalid([_detail(str(err))]) from err
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as err:
        if details := list(_no_values(body)):
            raise _invalid(details) from err
        raise RequestError(400, "not_json", f"the body is not JSON: {err}") from err


def _invalid(details: list[dict[str, Any]]) -> RequestError:
    first = details[0]
    message = f"{first['field']}: {first['message']}"
    return RequestError(422, "invalid_request", message, details=details)


def _detail(message: str) -> dict[str, str]:
    text, _, path = message.partition(" - at `")
    path = path.removesuffix("`") or "$"
    if missing := _MISSING.match(text):
        path = f"{path}.{missing[1]}"
    return {"field": path, "message": text}


def _require_distinct_keys(body: bytes, keys: int) -> None:
    """Refuse a key that stands twice in one object, of which all but the last would be lost.

    Each key has a colon, and none may lack or be unknown: with as many colons as there are `keys`
    all are distinct. Only with more, as in the text `12:30`, the body is looked at once again.
    """
    if body.count(b":") > keys:
        json.loads(body, object_pairs_hook=_distinct)


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for name, _ in pairs:
        if name in seen:
            said = f"the key {name!r:.100} stands twice in one object; send it once"
            raise _invalid([{"field": f"{name:.100}", "message": said}])
        seen.add(name)


def _no_values(body: bytes) -> Iterator[dict[str, str]]:
    """Yield the places of what JSON lacks but many clients write: NaN, infinity, half characters.

    A lone surrogate is the half of a character, as of a text that was cut within one.
    """
    with suppress(ValueError, RecursionError):
        yield from _walk(json.loads(body), "$")


def _walk(value: Any, path: str) -> Iterator[dict[str, str]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield {"field": path, "message": "NaN and infinity are no numbers here; null means missing"}
    elif isinstance(value, str) and (half := _SURROGATE.search(value)):
        said = f"\\u{ord(half[0]):04x} is the half of a character; send the whole one"
        yield {"field": path, "message": said}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _walk(name, path)
            yield from _walk(item, f"{path}.{name}")
