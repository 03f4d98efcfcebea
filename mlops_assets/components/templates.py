"""Templates in the YAML: `{{ env.NAME }}` or `{{ env('NAME', default) }}` in place of any value.

Resolved before the settings are validated, so that a port or a limit may come from the environment
too; the schema that `dg check yaml` uses allows for them.
"""

from typing import Any

import dagster as dg
from pydantic import model_validator

from mlops_assets.config import ModelSettings

_TEMPLATE = {"type": "string", "pattern": r"^\{\{.*\}\}$"}


class TemplatedSettings(ModelSettings):
    """`ModelSettings` as a YAML file may write them."""

    @model_validator(mode="before")
    @classmethod
    def _resolve(cls, data: Any) -> Any:
        return dg.ResolutionContext.default().resolve_value(data)

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The schema of `ModelSettings`, with a template as the alternative to every scalar."""
        return _with_templates(super().model_json_schema(*args, **kwargs))


def _with_templates(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_templates(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") in ("integer", "number", "boolean") or {"enum", "pattern"} & set(schema):
        return {"anyOf": [schema, _TEMPLATE]}
    return {name: _with_templates(value) for name, value in schema.items()}
