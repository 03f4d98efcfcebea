"""The verb `sql`: a block of a model's YAML as a query for the user's own warehouse."""

from mlops_assets.blocks.base import did_you_mean
from mlops_assets.components.model_files import read_parts
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.query import Query
from mlops_assets.errors import ConfigError, FaultyModelError
from mlops_assets.home import models_folder
from mlops_assets.runtime import terminal


def sql(
    model: str, part: str, dialect: str, table: str | None, asked: str | None, *, zoned: bool
) -> int:
    """Print the query."""
    if asked is not None and part != "features":
        raise ConfigError("--asked is of `features`; leave it out, or ask for those")
    query = Query(written(model), part, dialect, table, zoned, asked)
    terminal.document(query.text().rstrip("\n"))
    return 0


def written(model: str) -> ModelSettings:
    """The settings of a model as its YAML has them now, without Dagster's definitions.

    Raises:
        ConfigError: There is no such model.
        FaultyModelError: Its YAML has faults.
    """
    parts = read_parts(models_folder())
    sound = {one.settings.name: one.settings for part in parts for one in part.models}
    faults = [str(fault) for part in parts if model in part.names for fault in part.faults]
    if faults:
        raise FaultyModelError("\n".join(dict.fromkeys(faults)))
    if model not in sound:
        raise ConfigError(
            f"no model {model!r}; there are {sorted(sound)}{did_you_mean([model], sound)}"
        )
    return sound[model]
