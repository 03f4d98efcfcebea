"""What an HTTPRoute may say: the Gateway API's CRD, in the fields that matter here, strictly."""

from collections.abc import Mapping

Object = dict

_REFERENCE = {"group", "kind", "name", "namespace", "port"}
_FIELDS = {
    "spec": {"parentRefs", "hostnames", "rules"},
    "parentRefs": _REFERENCE | {"sectionName"},
    "rules": {"name", "matches", "filters", "backendRefs", "timeouts", "retry"},
    "backendRefs": _REFERENCE | {"weight", "filters"},
    "filters": {"type", "requestMirror", "requestHeaderModifier"},
    "requestMirror": {"backendRef", "percent", "fraction"},
    "backendRef": _REFERENCE,
}
_HEAVIEST = 1_000_000


def unlike_a_route(spec: Object) -> str:
    """What an API server with the CRD refuses it for; empty if it takes it."""
    return _unknown("spec", spec) or _wrong(spec)


def _unknown(where: str, one: object) -> str:
    if isinstance(one, list):
        return next(filter(None, (_unknown(where, part) for part in one)), "")
    if not isinstance(one, Mapping) or where not in _FIELDS:
        return ""
    if more := set(one) - _FIELDS[where]:
        return f"strict decoding error: unknown field {where}.{min(more)}"
    return next(filter(None, (_unknown(name, part) for name, part in one.items())), "")


def _wrong(spec: Object) -> str:
    for rule in spec["rules"]:
        for one in rule["backendRefs"]:
            weight = one.get("weight", 1)
            if not isinstance(weight, int) or not 0 <= weight <= _HEAVIEST:
                return f"spec.rules.backendRefs.weight: Invalid value: {weight}"
            if "port" not in one:
                return "Must have port for Service reference"
        for one in rule.get("filters", []):
            if (one["type"] == "RequestMirror") != ("requestMirror" in one):
                return "filter.requestMirror must be specified for RequestMirror filter.type"
    return ""
