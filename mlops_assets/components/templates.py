"""Templates in the YAML: `{{ env.NAME }}` or `{{ env('NAME', default) }}` in place of any value.

Resolved before the settings are validated, so that a port or a limit may come from the environment
too; the schema that `dg check yaml` uses allows for them.
"""

import os
import re
from functools import lru_cache
from typing import Any

import dagster as dg
from dagster.components.resolved.errors import ResolutionException
from pydantic import model_validator

from mlops_assets.blocks.base import Misfit, MisfitError
from mlops_assets.config import ModelSettings

_TEMPLATE = {"type": "string", "pattern": r"^\{\{.*\}\}$"}
_VARIABLE = re.compile(r"""\benv(?:\.|\(\s*['"])(\w+)(?!\w|['"]\s*,)""")  # without a default

_LOOKUP = re.compile(r"""\{\{\s*env(?:\.(\w+)|\(\s*['"](\w+)['"]\s*(?:,[^(){}|]*)?\))\s*\}\}""")
"""A template of one variable, and of nothing that can change while this stays as it is."""


class TemplatedSettings(ModelSettings):
    """`ModelSettings` as a YAML file may write them."""

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, data: Any) -> Any:
        misfits: list[Misfit] = []
        resolved = _resolved(data, (), misfits)
        if misfits:
            raise MisfitError(*misfits)
        return resolved

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The schema of `ModelSettings`, with a template as the alternative to every scalar."""
        return _with_templates(super().model_json_schema(*args, **kwargs))


def _resolved(data: Any, place: tuple[str, ...], misfits: list[Misfit]) -> Any:
    """`data` with its templates filled in; those that cannot be are noted.

    A text without a template stays as it is: Dagster would make a number of "0123".
    """
    if isinstance(data, dict):
        return {k: _resolved(v, (*place, str(k)), misfits) for k, v in data.items()}
    if isinstance(data, list):
        return [_resolved(v, (*place, str(i)), misfits) for i, v in enumerate(data)]
    if not isinstance(data, str) or not re.search(r"\{[{%]", data):
        return data
    at = ".".join(place)
    if unset := [name for name in _VARIABLE.findall(data) if name not in os.environ]:
        said = f"the environment variable {unset[0]} is not set; set it, or write "
        misfits.append(Misfit(at, said + f"env('{unset[0]}', a default)"))
        return data
    try:
        return _filled(data)
    except ResolutionException as err:
        said = str(err).strip().splitlines()[-1]
        misfits.append(Misfit(at, f"the template {data!r} cannot be filled in: {said}"))
        return data


def _filled(template: str) -> Any:
    found = _LOOKUP.fullmatch(template)
    if found is None:  # which may be of the moment
        return dg.ResolutionContext.default().resolve_value(template)
    name = found[1] or found[2]
    return _looked_up(template, os.environ.get(name))


@lru_cache(1000)
def _looked_up(template: str, value: str | None) -> Any:
    """What a template of one variable with this value is.

    Each is compiled, 0.3 ms, and most of a project's models name the same few.
    """
    return dg.ResolutionContext.default().resolve_value(template)


def _with_templates(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_templates(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in ("integer", "number", "boolean") or {"enum", "pattern"} & set(schema):
        return {"anyOf": [schema, _TEMPLATE]}
    return {name: _with_templates(value) for name, value in schema.items()}
