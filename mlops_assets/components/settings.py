"""The settings of the models that are loaded, as their definitions carry them: the objects.

Within the process that loaded them; any other is told no more than their class.
"""

from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from resources.dagster.internals import ObjectMetadataValue

_PREFIX = "mlops/settings/"


def carried(settings: ModelSettings) -> dict[str, Any]:
    """Metadata of a model's definitions, from which `loaded_models` has its settings."""
    return {f"{_PREFIX}{settings.name}": ObjectMetadataValue(settings)}


def loaded_models(definitions: dg.Definitions) -> dict[str, ModelSettings]:
    """The settings of every sound model, by name, in the order of names."""
    found = {
        key.removeprefix(_PREFIX): value.instance
        for key, value in sorted(definitions.metadata.items())
        if key.startswith(_PREFIX) and isinstance(value, ObjectMetadataValue)
    }
    return {name: one for name, one in found.items() if isinstance(one, ModelSettings)}
