"""Some blocks of a YAML and a frame -> the settings of a model that the functions of `ml` take.

What a stage alone does not need, such as a source or an endpoint, is filled in and never read.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pydantic import BaseModel, ValidationError

from mlops_assets.blocks.base import LONGEST, DType, one_line
from mlops_assets.blocks.evaluation import METRICS
from mlops_assets.blocks.features import FeatureSettings, TargetSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import ConfigError, MlopsError

Block = Any
"""A block of the YAML: a mapping as it is read from there, or the block's own class."""

_UNREAD = {"name": "model", "source": {"uri": "frame"}, "deployment": {"port": 1024}}
_DTYPES: Mapping[str, DType] = {
    "boolean": "bool",
    "integer": "int64",
    "floating": "float64",
    "mixed-integer-float": "float64",
    "decimal": "float64",
    "string": "string",
    "categorical": "string",
    "datetime64": "datetime",
    "datetime": "datetime",
    "empty": "float64",
}


def settings_over(frame: pd.DataFrame, *, target: Block, **blocks: Block) -> ModelSettings:
    """The settings of a model over the columns of `frame`, checked as those of a YAML are.

    Args:
        frame: Typed rows.
        target: As in the YAML.
        blocks: `features`, and any others by their names in the YAML.

    Raises:
        ConfigError: A block has faults, or does not fit the columns or another block.
    """
    types = column_types(frame)
    _require_types(frame, types, target, blocks)
    task = block_value(target, "task")
    usual = {
        "contract": {"columns": types},
        "training": {"split": {"by": "random", "fraction": 0.2}},
        "evaluation": {"primary": min(METRICS.get(task, ["roc_auc"]))},
    }
    given = {name: block for name, block in blocks.items() if block is not None}
    return validated(ModelSettings, {**_UNREAD, **usual, "target": target, **given})


def column_types(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """The contract of each column whose values are of one type; the others cannot be used."""
    kinds = {name: pd.api.types.infer_dtype(column, skipna=True) for name, column in frame.items()}
    known = {str(name): _DTYPES[kind] for name, kind in kinds.items() if kind in _DTYPES}
    return {name: {"dtype": dtype, "nullable": True} for name, dtype in known.items()}


def over_table(target: Block) -> dict[str, Any]:
    """The target as a column that is there: what made it of events, or of texts, is done."""
    return {
        "name": block_value(target, "name"),
        "task": block_value(target, "task"),
        "missing": "unlabelled",
    }


def one_hot_texts(frame: pd.DataFrame, features: Block) -> dict[str, str]:
    """An encoding for each text among the features, for a stage that applies none."""
    types = column_types(frame)
    names = block_value(features, "columns") or ()
    texts = [name for name in names if types.get(name, {}).get("dtype") == "string"]
    return dict.fromkeys(texts, "one_hot")


def lasting(features: Block) -> Block:
    """The features with a TTL, which only serving by id looks at."""
    if block_value(features, "ttl") is not None:
        return features
    if isinstance(features, Mapping):
        return {**features, "ttl": LONGEST}
    if isinstance(features, FeatureSettings):
        return features.model_copy(update={"ttl": LONGEST})
    return features  # no block, as is said where it is read


def with_target(settings: ModelSettings, target: Block) -> ModelSettings:
    """The settings with the target as it was before `over_table`; its window tells what may leak.

    Raises:
        ConfigError: It has faults.
    """
    return settings.model_copy(update={"target": validated(TargetSettings, target)})


def with_evaluation(
    settings: ModelSettings, evaluation: Block
) -> tuple[ModelSettings, tuple[str, ...]]:
    """The settings with this block, and the bounds of its gate that are left out of it.

    These are of a stored version: its size, and its latency as it is served.

    Raises:
        ConfigError: The block has faults, or does not fit the model.
    """
    flat = {**dict(settings), "target": over_table(settings.target), "evaluation": evaluation}
    found = validated(ModelSettings, flat).evaluation
    gate = found.gate
    left = tuple(name for name in gate.bounds if name not in gate.limits)
    gate = gate.model_copy(update={"latency_p99_ms": None, "max_size_mb": None})
    found = found.model_copy(update={"gate": gate})
    return settings.model_copy(update={"evaluation": found}), left


def validated(kind: type[Any], value: Block) -> Any:
    """The value as the block's class; a `ConfigError` in a line if it cannot be that."""
    if not isinstance(value, Mapping | BaseModel):
        raise ConfigError(
            f"{value!r:.60} is no block of a YAML; pass a mapping, or the class {kind.__name__}"
        )
    try:
        return kind.model_validate(value)
    except ValidationError as err:
        raise ConfigError(one_line(err).replace("Value error, ", "")) from err


def require_frame(frame: object, name: str) -> None:
    """Refuse what is no frame, by the name of the argument.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ConfigError(f"{name}: a {type(frame).__name__}; pass a pandas DataFrame")


def require_rows(frame: pd.DataFrame, error: type[MlopsError]) -> None:
    """Refuse a frame without rows, by an error of the stage that it is given to."""
    if not len(frame):
        raise error("the frame has no rows; see what it was made of")


def moment_or_now(now: datetime | None) -> datetime:
    """The moment that is given, else the clock's.

    Raises:
        ConfigError: It is none, or has no zone.
    """
    if now is None:
        return datetime.now(UTC)
    if not isinstance(now, datetime) or now.tzinfo is None:
        raise ConfigError(
            f"now: {now!r:.60} is no datetime with a zone; pass e.g. datetime.now(UTC)"
        )
    return now


def block_value(block: Block, name: str) -> Any:
    """A value of a block; None without it."""
    return block.get(name) if isinstance(block, Mapping) else getattr(block, name, None)


def _require_types(
    frame: pd.DataFrame, types: Collection[str], target: Block, blocks: Mapping[str, Block]
) -> None:
    """Refuse columns that are to be used and hold values of several types, or of none we know."""
    used = [
        *(block_value(blocks.get("features"), "columns") or ()),
        block_value(target, "column") or block_value(target, "name"),
        block_value(blocks.get("entity"), "name"),
        blocks.get("timestamp"),
    ]
    if wrong := [name for name in used if name in frame.columns and name not in types]:
        kinds = {name: pd.api.types.infer_dtype(frame[name], skipna=True) for name in wrong}
        raise ConfigError(
            f"the columns {kinds} hold no values of one type; convert them, or give their `dtype` "
            "in the `contract` of a DataProcessor"
        )
