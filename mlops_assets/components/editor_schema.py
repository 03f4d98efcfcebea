"""The JSON schema of a `defs.yaml` for editors, from the same models that load it."""

import json
from pathlib import Path
from typing import Any

from mlops_assets.components.defaults import without_given
from mlops_assets.components.templates import TemplatedSettings

SCHEMA_FILE = "mlops.schema.json"
_TYPE = "mlops_assets.components.ModelPipeline"


def schema_text(models: Path) -> str:
    """The schema of one document in a folder of models, as a file: it ends with a line feed.

    The same for one version and one set of defaults, which need not be given again.
    """
    return json.dumps(_schema(models), indent=1) + "\n"


def _schema(models: Path) -> dict[str, Any]:
    attributes = without_given(TemplatedSettings.model_json_schema(), models)
    definitions = attributes.pop("$defs")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A model",
        "description": "Written by `mlops schema`; write it again after an upgrade, or when the "
        "defaults change.",
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
