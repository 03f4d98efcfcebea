"""The features of a champion for the rows that a challenger of other settings is tested on.

A row of a flat table is the same row where it stands in the raw data, whatever its key is called by
then and now; an entity's state as of a snapshot is the same where both are. What the champion's
contract would have refused is scored too: it is the challenger's rows that are compared.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_assets.blocks.data import ContractSettings
from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError, MlopsError, NotComparableError
from mlops_assets.ml.data.contract import enforce
from mlops_assets.ml.data.delivered import checked_rows, read_rows
from mlops_assets.ml.data.marks import Marks
from mlops_assets.ml.data.processing import cleaned, identified, process
from mlops_assets.ml.features.build import build_features
from mlops_assets.ml.features.keyed import row_keys
from mlops_assets.ml.file_part import Part, in_memory
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.model_versions.champion.as_trained import by_either_source
from mlops_assets.records.data import Origin
from resources.datasets.versions import DvcDatasets


def champion_features(
    test: Part,
    then: ModelSettings,
    today: ModelSettings,
    origin: Origin,
    datasets: DvcDatasets,
) -> pd.DataFrame:
    """The features by the settings of `then`, a row for each of `test` and in their order.

    Args:
        test: Rows held out by the settings of today.
        then: The champion's.
        today: The challenger's.
        origin: What `test` was made of.
        datasets: Where that is.

    Raises:
        NotComparableError: Today's data do not give them, or another target was learnt.
    """
    _require_same_target(then, today)
    keys = in_memory(test[[today.key.name, TIMESTAMP]])
    with datasets.open(origin.raw) as files:
        make = _of_events if then.features.shape == "event_log" else _of_rows
        try:
            return by_either_source(then, today, lambda by: make(files, keys, by, today, origin))
        except MlopsError as err:
            raise NotComparableError(f"its features cannot be computed any more: {err}") from err


def _require_same_target(then: ModelSettings, today: ModelSettings) -> None:
    if then.features.shape != today.features.shape:
        shapes = (one.features.shape.replace("_", " ") for one in (then, today))
        raise NotComparableError("it was trained on a {}, not on a {}".format(*shapes))
    was, now = _target(then), _target(today)
    if changed := [name for name in was if was[name] != now[name]]:
        said = ", ".join(f"target.{name} was {was[name]!r}, is {now[name]!r}" for name in changed)
        raise NotComparableError(f"it predicts something else: {said}")


def _target(settings: ModelSettings) -> dict[str, object]:
    """What is predicted: by the name that the source has for its column."""
    said = settings.target.model_dump(exclude={"name", "missing"})
    names = settings.contract.source_names
    return {**said, "column": names.get(str(settings.target_column))}


def _of_rows(
    files: Sequence[Path],
    test: pd.DataFrame,
    then: ModelSettings,
    today: ModelSettings,
    origin: Origin,
) -> pd.DataFrame:
    places, delivered = _places(files, test, today, origin), origin.raw.delivered_at
    rows = read_rows(files, then)
    if len(rows) <= places.max():
        raise FeatureError(f"its declaration of the source reads {len(rows)} rows only")
    contract, marks = _types_only(then.contract), Marks.written_in(then.source)
    checked = enforce(rows.iloc[places], contract, origin.checked_at, marks)
    if len(checked.bad):
        example = checked.bad["reason"].iloc[0]
        raise FeatureError(f"{len(checked.bad)} of the rows are none to it, e.g. {example}")
    every = then.processing.model_copy(update={"drop_duplicates": False})
    return build_features(identified(process(checked.rows, every), then, delivered), then)


def _places(
    files: Sequence[Path], test: pd.DataFrame, today: ModelSettings, origin: Origin
) -> np.ndarray:
    """Where each row of `test` stands in the raw data."""
    good, bad = checked_rows(files, today, origin.checked_at)
    good.index = pd.Index(np.delete(np.arange(len(good) + len(bad)), bad["row"].astype(int)))
    rows = identified(cleaned(good, today.processing), today, origin.raw.delivered_at)
    keys = [today.key.name, TIMESTAMP]
    known = row_keys(rows, today).assign(place=rows.index)
    return test[keys].merge(known, on=keys, how="left", validate="one_to_one")["place"].to_numpy()


def _types_only(contract: ContractSettings) -> ContractSettings:
    """The contract without the rules that a value of the right type can break."""
    free = {"nullable": True, "min": None, "max": None, "allowed": (), "future": "allow"}
    columns = {name: rule.model_copy(update=free) for name, rule in contract.columns.items()}
    return contract.model_copy(update={"columns": columns, "unique": ()})


def _of_events(
    files: Sequence[Path],
    test: pd.DataFrame,
    then: ModelSettings,
    today: ModelSettings,
    origin: Origin,
) -> pd.DataFrame:
    checked = checked_rows(files, then, origin.checked_at)
    rows = identified(process(checked.rows, then.processing), then, origin.raw.delivered_at)
    at = then.features.model_copy(update={"snapshots": today.features.snapshots})
    known = build_features(rows, then.model_copy(update={"features": at}))
    known = known.rename(columns={then.key.name: today.key.name})
    keys = [today.key.name, TIMESTAMP]
    found = test[keys].merge(known, on=keys, how="left", indicator="found", validate="one_to_one")
    if missing := int((found["found"] == "left_only").sum()):
        raise FeatureError(f"by its settings {missing} of the {len(test)} rows do not exist")
    return found
