"""A ValidatingAdmissionPolicy with its binding, as an API server compiles and asks it.

Its expressions are evaluated by CEL's own implementation in C++, with two of the libraries that
Kubernetes has since 1.29 (strings, optional values), and typed as there: `object` is of any type,
all else is of its own. A binding that only warns, parameters (which a real API server, 1.36, reads
no more once the last policy with some of that kind was deleted), a `namespaceObject` and an
`authorizer` are not known here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings

from tests.kubernetes_api.objects import Object, Refused

_OPERATIONS = {"create": "CREATE", "patch": "UPDATE", "update": "UPDATE"}
_KNOWN = {
    "object": cel.Type.DYN,
    "request.operation": cel.Type.STRING,
    "request.namespace": cel.Type.STRING,
    "request.resource.group": cel.Type.STRING,
    "request.resource.resource": cel.Type.STRING,
    "request.userInfo.username": cel.Type.STRING,
}


class Request(NamedTuple):
    """Who wants to do what to which object, as it would then be."""

    account: str
    verb: str
    group: str
    resource: str
    namespace: str
    wanted: Object


class Policy:
    """One policy and one binding; what is wrong with an expression is an error at once."""

    def __init__(self, policy: Object, binding: Object) -> None:
        self._spec, self._bound = policy["spec"], binding["spec"]
        self._name, self._binding = policy["metadata"]["name"], binding["metadata"]["name"]
        assert self._bound["policyName"] == self._name
        assert self._bound["validationActions"] == ["Deny"]
        assert self._spec["failurePolicy"] == "Fail"
        assert "paramKind" not in self._spec
        known = dict(_KNOWN)
        self._conditions = [
            _compile(one["expression"], known, cel.Type.BOOL)
            for one in self._spec["matchConditions"]
        ]
        self._variables: dict[str, cel.Expression] = {}
        for one in self._spec["variables"]:
            name = f"variables.{one['name']}"
            self._variables[name] = _compile(one["expression"], known)
            known[name] = self._variables[name].return_type()
        self._validations = [
            (
                _compile(one["expression"], known, cel.Type.BOOL),
                _compile(one["messageExpression"], known, cel.Type.STRING),
            )
            for one in self._spec["validations"]
        ]

    @classmethod
    def of(cls, documents: Sequence[Object]) -> "list[Policy]":
        """Each policy of some manifests, by its binding."""
        kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
        policies, bindings = ([one for one in documents if one["kind"] == kind] for kind in kinds)
        named = {one["metadata"]["name"]: one for one in policies}
        assert len(policies) == len(bindings)
        return [cls(named[one["spec"]["policyName"]], one) for one in bindings]

    def require(self, request: Request) -> None:
        """Refuse what the policy denies."""
        labels = {"kubernetes.io/metadata.name": request.namespace}
        wanted = self._bound["matchResources"]["namespaceSelector"]["matchLabels"]
        if not (wanted.items() <= labels.items() and self._is_meant(request)):
            return
        known = _data(request)
        if not all(_value(one, known) for one in self._conditions):
            return
        for variable, expression in self._variables.items():
            known[variable] = _value(expression, known)
        for holds, message in self._validations:
            if not _value(holds, known):
                raise self._refused(request, _value(message, known))

    def _is_meant(self, request: Request) -> bool:
        return any(
            request.group in rule["apiGroups"]
            and request.resource in rule["resources"]
            and _OPERATIONS.get(request.verb) in rule["operations"]
            for rule in self._spec["matchConstraints"]["resourceRules"]
        )

    def _refused(self, request: Request, why: str) -> Refused:
        what = f"{request.resource}.{request.group}"
        name = request.wanted["metadata"].get("name", "")
        by = f"ValidatingAdmissionPolicy '{self._name}' with binding '{self._binding}'"
        return Refused(422, f'{what} "{name}" is forbidden: {by} denied request: {why}')


def _compile(
    text: str, known: Mapping[str, cel.Type], wanted: cel.Type | None = None
) -> cel.Expression:
    extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
    found = cel.NewEnv(variables=dict(known), extensions=extensions).compile(text)
    made = found.return_type()
    assert wanted is None or made == wanted, f"it must evaluate to {wanted}, not {made}: {text}"
    return found


def _data(request: Request) -> dict[str, Any]:
    return {
        "object": request.wanted,
        "request.operation": _OPERATIONS[request.verb],
        "request.namespace": request.namespace,
        "request.resource.group": request.group,
        "request.resource.resource": request.resource,
        "request.userInfo.username": f"system:serviceaccount:{request.namespace}:{request.account}",
    }


def _value(expression: cel.Expression, known: Mapping[str, Any]) -> Any:
    found = expression.eval(data=known)
    if found.type() == cel.Type.ERROR:
        raise Refused(422, f"failed evaluating a policy: {found.value()}")
    return found.plain_value()
