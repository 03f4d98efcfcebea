"""The JSON schema of a `defs.yaml` for editors, from the same models that load it."""

import json
from typing import Any

from mlops_assets.components.templates import TemplatedSettings

SCHEMA_FILE = "mlops.schema.json"
_TYPE = "mlops_assets.components.ModelPipeline"


def schema_text() -> str:
    """The schema of one document as a file: it ends with a line feed, the same for one version."""
    return json.dumps(_schema(), indent=1) + "\n"


def _schema() -> dict[str, Any]:
    attributes = TemplatedSettings.model_json_schema()
    definitions = attributes.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A model",
        "description": "Written by `mlops schema`; write it again after an upgrade.",
        "type": "object",
        "properties": {
            "type": {"const": _TYPE},
            "attributes": attributes,
            "requirements": {"type": "object"},
            "post_processing": {"type": "object"},
            "template_vars_module": {"type": "string"},
        },
        "required": ["type", "attributes"],
        "additionalProperties": False,
        "$defs": definitions,
    }
