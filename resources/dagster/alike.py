"""Assets, checks and ops of which every model has one: Dagster defines the first, the rest copy it.

Dagster's decorators inspect a function some twenty times and keep what they found: two thirds of
the CPU and a third of the memory that the 27 functions of a model cost. It is the same for those of
other models, which are made of the same code. What is not, the names, the keys and what is said of
them, a copy is told. It reaches below Dagster's interface for that:
`tests/unit/dependencies/test_alike.py` holds each copy to what Dagster would have made of it.
"""

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, NamedTuple, TypeVar

import dagster as dg

from mlops_assets.keys import asset_key
from resources.dagster.internals import normalize_metadata

T = TypeVar("T")

_RESULT = "result"
"""What Dagster calls the one output of an asset, and of a check."""
_NO_HOOKS: frozenset[dg.HookDefinition] = frozenset()  # else an empty set for each
_OF_SPEC = {"group_name", "owners", "tags", "metadata", "kinds", "code_version", "description"}
_OF_ASSET = _OF_SPEC | {"key", "ins", "deps", "pool", "check_specs", "retry_policy"}
_OF_CHECK = {"asset", "additional_ins", "pool", "blocking", "description"}
_OF_OP = {"name", "pool", "description"}


def asset(**said: Any) -> Callable[[FunctionType], dg.AssetsDefinition]:
    """`dagster.asset` of a stage: its key and those of its inputs are of one model."""

    def copy(
        first: dg.AssetsDefinition, op: dg.OpDefinition, function: FunctionType
    ) -> dg.AssetsDefinition:
        key, of = said["key"], _Names(first.key.path[0], said["key"].path[0], function)
        (spec,), given = first.specs, {one: said[one] for one in said.keys() & _OF_SPEC}
        checks = {check.get_python_identifier(): check for check in said.get("check_specs", ())}
        return dg.AssetsDefinition(
            keys_by_input_name=of.inputs(first),
            keys_by_output_name={_RESULT: key},
            node_def=_copied_op(op, function, of.name, said),
            specs=[dg.AssetSpec(key, deps=[of.key(dep.asset_key) for dep in spec.deps], **given)],
            check_specs_by_output_name=checks,
            hook_defs=_NO_HOOKS,
        )

    return _alike(dg.asset, said, _OF_ASSET, copy)


def asset_check(**said: Any) -> Callable[[FunctionType], dg.AssetChecksDefinition]:
    """`dagster.asset_check` of a stage; its key and those of the inputs are of one model."""

    def copy(
        first: dg.AssetChecksDefinition, op: dg.OpDefinition, function: FunctionType
    ) -> dg.AssetChecksDefinition:
        (spec,), key = first.check_specs, said["asset"]
        of = _Names(spec.asset_key.path[0], key.path[0], function)
        others = [of.key(dep.asset_key) for dep in spec.additional_deps]
        given = {one: said[one] for one in said.keys() & {"blocking", "description"}}
        check = dg.AssetCheckSpec(spec.name, asset=key, additional_deps=others, **given)
        return dg.AssetChecksDefinition.create(
            keys_by_input_name=of.inputs(first),
            node_def=_copied_op(op, function, of.name, {"pool": said["pool"]}),
            check_specs_by_output_name={_RESULT: check},
            can_subset=False,
        )

    return _alike(dg.asset_check, said, _OF_CHECK, copy)


def op(**said: Any) -> Callable[[FunctionType], dg.OpDefinition]:
    """`dagster.op` of a model, without inputs."""

    def copy(
        _first: dg.OpDefinition, op: dg.OpDefinition, function: FunctionType
    ) -> dg.OpDefinition:
        return _copied_op(op, function, {op.name: said["name"], _RESULT: _RESULT}.__getitem__, said)

    return _alike(dg.op, said, _OF_OP, copy)


_FIRST: dict[tuple[Any, ...], tuple[Any, dg.OpDefinition]] = {}
"""Of each code and shape: the definition, and its op as no job has used it yet."""


def _alike(
    decorator: Any,
    said: dict[str, Any],
    known: set[str],
    copy: Callable[[Any, Any, FunctionType], T],
) -> Callable[[FunctionType], T]:
    if unknown := said.keys() - known:
        raise TypeError(
            f"a copy cannot be told {sorted(unknown)}; use dagster.{decorator.__name__}"
        )

    def define(function: FunctionType) -> T:
        counted = (len(said.get(several, ())) for several in ("deps", "check_specs"))
        shape = (function.__code__, *sorted(said), *counted)
        if shape in _FIRST:
            return copy(*_FIRST[shape], function)
        first = decorator(**said)(function)
        own = first if isinstance(first, dg.OpDefinition) else first.op
        _FIRST[shape] = first, _copied(own)
        return first

    return define


class _Names(NamedTuple):
    """Names and keys of one model -> those of another."""

    before: str
    after: str
    function: FunctionType

    def key(self, key: dg.AssetKey) -> dg.AssetKey:
        _, stage = key.path
        return asset_key(self.after, stage)

    def name(self, name: str) -> str:
        """Of an op, an input or an output; a parameter of the function keeps its own."""
        code = self.function.__code__
        kept = name == _RESULT or name in code.co_varnames[: code.co_argcount]
        return name if kept else f"{self.after}{name.removeprefix(self.before)}"

    def inputs(self, of: dg.AssetsDefinition) -> dict[str, dg.AssetKey]:
        return {self.name(name): self.key(key) for name, key in of.keys_by_input_name.items()}


def _copied_op(
    op: dg.OpDefinition,
    function: FunctionType,
    named: Callable[[str], str],
    said: Mapping[str, Any],
) -> dg.OpDefinition:
    """The op of another function of the same code, and what is said of that alone."""
    made = _copied(op)
    made._name, made.__wrapped__ = named(op.name), function
    made._compute_fn = type(made._compute_fn)(function)
    for argument in said.keys() & {"description", "pool", "retry_policy"}:
        setattr(made, f"_{argument}", said[argument])
    made._version = said.get("code_version")
    inputs = [_told(one, _name=named(one.name)) for one in op.input_defs]
    outputs = [_told(x, _name=named(x.name), **_of_output(x.name, said)) for x in op.output_defs]
    for kind, defs in (("input", sorted(inputs, key=lambda one: one.name)), ("output", outputs)):
        if any(one not in getattr(op, f"{kind}_defs") for one in defs):
            setattr(made, f"_{kind}_defs", defs)
            setattr(made, f"_{kind}_dict", {one.name: one for one in defs})
    return made


def _of_output(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    told = {"_code_version": said.get("code_version")}
    if name == _RESULT and "key" in said:
        raw = said.get("metadata") or {}
        told |= {"_description": said.get("description"), "_raw_metadata": raw}
        told |= {"_metadata": normalize_metadata(raw, allow_invalid=True)}
    return told


def _told(one: Any, **told: Any) -> Any:
    """The same, or a copy where anything differs."""
    if all(getattr(one, name) == value for name, value in told.items()):
        return one
    other = _copied(one)
    for name, value in told.items():
        setattr(other, name, value)
    return other


def _copied(one: Any) -> Any:
    """As `copy.copy`, whose copies take twice the memory: each has a dictionary of its own."""
    other = object.__new__(type(one))
    for name, value in vars(one).items():
        setattr(other, name, value)
    return other
