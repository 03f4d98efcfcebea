"""`score`: what the version that serves says of a frame, in this process and unlogged."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.errors import ConfigError, ContractError
from mlops_assets.home import endpoints_root
from mlops_assets.notebook.frames import FrameKind, as_kind, as_pandas, require_kind
from mlops_assets.notebook.state import model_settings, require_stored

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from mlops_assets.config import ModelSettings
    from mlops_assets.records.serving import Manifest, Servable
    from mlops_assets.scoring.asked import Batch
    from mlops_assets.scoring.requests import Answers
    from mlops_assets.serving.version.model import LoadedModel


def score(model: str, frame: Any, *, to: FrameKind = "pandas") -> Any:
    """Ask the version that serves for every row, as its endpoint answers them, bit for bit.

    The rows are computed together as one request after the other would ask for them. Nothing is
    logged: monitoring sees what the endpoint and batches are asked for, and not this.

    Args:
        model: Its name.
        frame: Of pandas, polars or Arrow: rows of the model's source, under its names or those of
            the contract, of which the label may be missing. A frame that is no such row has the
            features as its columns, and they are taken as they are.
        to: What the answers come as.

    Returns:
        A row for each row, with its index: `prediction`, of classes also `probabilities`, the
        entity if the frame has it, `features_as_of`, `model_version`, `scored_at`, and `refused`:
        why there is no prediction, or nothing. Of events, a row for each entity they tell of.

    Raises:
        ConfigError: There is no such model, or nothing of it serves.
        SourceError: The frame lacks columns.
        ContractError: Events break the contract.
    """
    require_kind(to)
    require_stored(model)
    rows, manifest, loaded = as_pandas(frame), *_served(model)
    now, settings = datetime.now(UTC), model_settings(model)
    given = _is_of_source(rows, settings) or not {*loaded.servable.features} <= {*rows.columns}
    batch = (
        _of_source(rows, settings, now)
        if given
        else _features(rows, loaded.servable, manifest.online.as_of or now)
    )
    found = _answers(batch, loaded, manifest)
    if given and settings.features.shape == "event_log":
        return as_kind(_table(found, loaded, manifest).drop_columns(["row"]), to)
    table = _with_refused(_table(found, loaded, manifest).to_pandas(), batch, found, len(rows))
    table.index = rows.index
    return as_kind(table if to == "pandas" else table.reset_index(drop=True), to)


def _served(model: str) -> "tuple[Manifest, LoadedModel]":
    from mlops_assets.serving.version.holder import load_checked
    from resources.endpoints.folder import EndpointFolder

    manifest = EndpointFolder(endpoints_root() / model).verified()
    if manifest is None:
        raise ConfigError(f"no version of {model!r} is deployed; run `mlops run {model}`")
    return manifest, load_checked(Path(manifest.folder))


def _features(rows: "pd.DataFrame", servable: "Servable", now: datetime) -> "Batch":
    import numpy as np
    import pandas as pd

    from mlops_assets.ml.frames import TIMESTAMP, feature_columns
    from mlops_assets.scoring.asked import Asked, Batch

    moments = np.full(len(rows), np.datetime64(now.replace(tzinfo=None), "us"))
    if TIMESTAMP in rows:
        moments = rows[TIMESTAMP].dt.tz_convert(None).to_numpy("datetime64[us]")
    key = servable.entity.name if servable.entity else None
    entities = rows[key].to_numpy() if key in rows else None
    columns = feature_columns(rows, servable.features)
    return Batch(Asked(columns, np.arange(len(rows)), entities, moments), pd.DataFrame())


def _is_of_source(rows: "pd.DataFrame", settings: "ModelSettings") -> bool:
    """Whether all the columns are there of which features, key and moment are made."""
    from mlops_assets.ml.data.parts import joined
    from mlops_assets.scoring.table import needed

    contract = needed(settings)
    here = {*joined(rows.head(0), contract).columns}
    return all({*names} & here for names in contract.source_names.items())


def _of_source(rows: "pd.DataFrame", settings: "ModelSettings", now: datetime) -> "Batch":
    from mlops_assets.scoring.table import Frame

    (batch,) = Frame(rows, settings, now).batches()
    if settings.features.shape == "event_log" and len(batch.bad):
        first = batch.bad.iloc[0]
        raise ContractError(
            f"{len(batch.bad)} of {len(rows)} events break the contract, e.g. row {first['row']}: "
            f"{first['reason']}; leave them out, or correct them"
        )
    return batch


def _answers(batch: "Batch", loaded: "LoadedModel", manifest: "Manifest") -> "Answers":
    from threadpoolctl import threadpool_limits

    from mlops_assets.scoring.requests import Requests

    with threadpool_limits(1):  # as in a worker
        return Requests(loaded, manifest.max_rows).answers(batch.asked)


def _table(found: "Answers", loaded: "LoadedModel", manifest: "Manifest") -> "pa.Table":
    from mlops_assets.scoring.answers import Spoken

    spoken = Spoken(loaded.servable, manifest, "", "table", datetime.now(UTC))
    return spoken.table(found)


def _with_refused(
    table: "pd.DataFrame", batch: "Batch", found: "Answers", rows: int
) -> "pd.DataFrame":
    """The answers in the order of the rows asked for, and of the others why there is none."""
    import pandas as pd

    reasons = pd.Series([None] * rows, dtype=object)
    if len(batch.bad):
        reasons[batch.bad["row"].to_numpy()] = batch.bad["reason"].to_numpy()
    reasons[found.refused.places] = found.reasons
    # Else a whole number would become a float beside a gap, and a long id another one.
    whole = {name: "Int64" for name, dtype in table.dtypes.items() if dtype == "int64"}
    table = table.astype(whole).set_index("row").reindex(range(rows))
    return table.assign(refused=reasons)
