"""The verb `sql`: a block of a model's YAML as a query for the user's own warehouse."""

from pathlib import Path

from mlops_assets.blocks.base import did_you_mean, one_line
from mlops_assets.components.model_files import read_parts
from mlops_assets.config import ModelSettings
from mlops_assets.engines.readings.query import Query
from mlops_assets.errors import ConfigError, FaultyModelError
from mlops_assets.home import models_folder
from mlops_assets.records.profile import Bins, Profile
from mlops_assets.runtime import terminal


def sql(
    model: str,
    part: str,
    dialect: str,
    table: str | None,
    asked: str | None,
    bins: Path | None,
    *,
    zoned: bool,
) -> int:
    """Print the query."""
    if asked is not None and part != "features":
        raise ConfigError("--asked is of `features`; leave it out, or ask for those")
    if (bins is None) is (part == "profile"):
        raise ConfigError(
            "--bins is of `profile`, which needs it: the `reference_profile.json` of a version, "
            "from its run in MLflow"
        )
    known = None if bins is None else bins_of(bins)
    query = Query(written(model), part, dialect, table, zoned, asked, known)
    terminal.document(query.text().rstrip("\n"))
    return 0


def bins_of(file: Path) -> dict[str, Bins]:
    """The bins of a version's profile; `ConfigError` if the file is none."""
    try:
        profile = Profile.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as err:
        raise ConfigError(
            f"--bins {file}: {one_line(err)}; name the `reference_profile.json` of a version"
        ) from err
    return {name: column.bins for name, column in profile.columns.items()}


def written(model: str) -> ModelSettings:
    """The settings of a model as its YAML has them now, without Dagster's definitions.

    Raises:
        ConfigError: There is no such model.
        FaultyModelError: Its YAML has faults.
    """
    parts = read_parts(models_folder())
    sound = {one.settings.name: one.settings for part in parts for one in part.models}
    claims = sum(one.settings.name == model for part in parts for one in part.models)
    if claims != 1:  # with one there may still be a port that two want, which no query needs
        faults = [str(fault) for part in parts if model in part.names for fault in part.faults]
        if faults:
            raise FaultyModelError("\n".join(dict.fromkeys(faults)))
    if model not in sound:
        raise ConfigError(
            f"no model {model!r}; there are {sorted(sound)}{did_you_mean([model], sound)}"
        )
    return sound[model]
