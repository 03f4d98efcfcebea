"""`load`: the value of an asset, of now or of an older version, or a model from the registry."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlops_assets.blocks.base import did_you_mean, one_line
from mlops_assets.errors import ConfigError, StateError
from mlops_assets.home import storage_root
from mlops_assets.notebook.frames import FrameKind, as_kind, require_kind
from mlops_assets.notebook.state import model_settings, require_stored, resource, values
from mlops_assets.notebook.versions import load_model
from mlops_assets.records.data import DatasetVersion

_LOG = "prediction_log"
_EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


def load(name: str, version: str | None = None, *, to: FrameKind = "pandas") -> Any:
    """What an asset of a model holds.

    Args:
        name: `customers/features`, or of any other asset; or `customers/model@champion`,
            `@previous` or `@3`, a version in the registry.
        version: Of `raw_data`, `processed_data` and `features`: the md5 of the data, or how it
            begins; default: the newest.
        to: What rows come as: `pandas`, `polars` or `arrow`.

    Returns:
        Rows of `raw_data`, `processed_data`, `features`, `labels`, `batch_predictions` and
        `prediction_log`; of every other asset its record, such as `Evaluation`; of a model the
        fitted scikit-learn pipeline.

    Raises:
        ConfigError: There is no such model, asset or version; the message lists what there is.
        StateError: It is there and cannot be read.
    """
    require_kind(to)
    model, slash, asset = name.partition("/")
    if not slash or not asset:
        raise ConfigError(f"{name!r} names no asset; write e.g. customers/features")
    require_stored(model)
    if asset == "model" or asset.startswith("model@"):
        return load_model(model, asset.partition("@")[2], version)
    known = stored_assets(model)
    if asset == _LOG:  # there is one as soon as an endpoint has answered
        known[_LOG] = known.get(_LOG, storage_root() / model)
    if asset not in known:
        near = did_you_mean([asset], known)
        raise ConfigError(f"{model} has no {asset!r}; there are {[*known, 'model@champion']}{near}")
    if asset in _VERSIONED:
        return as_kind(_VERSIONED[asset](known[asset], model, version), to)
    if version is not None:
        raise ConfigError(
            f"of {model}/{asset} the newest value alone is kept, no version {version!r}; versions "
            f"of {sorted(_VERSIONED)} are"
        )
    if asset in _ROWS:
        return as_kind(_ROWS[asset](known[asset], model), to)
    return read_record(known[asset], asset)


def stored_assets(model: str) -> dict[str, Path]:
    """Asset -> the file of its newest value."""
    folder = storage_root() / model
    files = [*folder.glob("[!.]*.parquet"), *folder.glob("[!.]*.json")]
    shared = [storage_root() / name for name in values().names()]
    files += [file for file in shared if file.parent == folder]
    return {file.stem: file for file in sorted(files)}


def read_record(file: Path, asset: str) -> Any:
    """The record that an asset keeps."""
    kind = _records().get(asset)
    if kind is None:
        raise ConfigError(f"{file} is of no asset that this release knows; read it as JSON")
    values().get(file)
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as err:
        said = f"{file} cannot be read: {one_line(err)}; materialize the asset again"
        raise StateError(said) from err


def _records() -> Mapping[str, Any]:
    from mlops_assets.records import backtest, evaluation, monitoring, profile, scoring, serving

    return {
        "raw_data": DatasetVersion,
        "trained_model": evaluation.ModelVersion,
        "evaluation_report": evaluation.Evaluation,
        "reference_profile": profile.Profile,
        "deployed_endpoint": serving.Endpoint,
        "drift_report": monitoring.DriftReport,
        "performance_report": monitoring.PerformanceReport,
        "skew_report": monitoring.SkewSummary,
        "prediction_log": monitoring.LogSummary,
        "batch_predictions": scoring.BatchSummary,
        "backtest": backtest.BacktestReport,
    }


def _frame(file: Path) -> Any:
    import pandas as pd

    try:
        with file.open("rb") as content:
            return pd.read_parquet(content)
    except (OSError, ValueError) as err:
        said = f"{file} cannot be read: {one_line(err)}; materialize the asset again"
        raise StateError(said) from err


def _kept(file: Path, model: str, version: str | None) -> Any:
    from resources.kept_versions import kept_versions

    values().get(file)
    if version is None:
        return _frame(file)
    found = kept_versions(file)
    what = f"{model}/{file.stem}"
    return _frame(found[_one_of(version, found, what)])


def _raw(file: Path, model: str, version: str | None) -> Any:
    """The rows of a delivery, as the source's declaration reads them, from DVC's cache."""
    from mlops_assets.ml.data.delivered import read_rows

    newest = read_record(file, "raw_data")
    known = {newest.md5: newest}
    for asset in ("processed_data", "features"):
        values().get(rows := file.with_name(f"{asset}.parquet"))
        known = {**_origins(rows), **known}
    chosen = known[_one_of(version, known, f"{model}/raw_data")] if version else newest
    with resource("datasets").open(chosen) as files:
        return read_rows(files, model_settings(model))


def _origins(file: Path) -> dict[str, DatasetVersion]:
    from resources.kept_versions import attributes, kept_versions

    found = {md5: attributes(kept).get("raw") for md5, kept in kept_versions(file).items()}
    return {md5: DatasetVersion.model_validate(raw) for md5, raw in found.items() if raw}


def _one_of(version: str, known: Mapping[str, object], what: str) -> str:
    """The version that is called so, or alone begins so."""
    if version in known:
        return version
    begun = [name for name in known if version and name.startswith(version)]
    if len(begun) == 1:
        return begun[0]
    said = f"several versions begin with {version!r}" if begun else f"no version {version!r}"
    raise ConfigError(
        f"{what} has {said}; there are {list(known)}, the newest first. Older ones are gone; a "
        "larger MLOPS_KEEP_MB keeps more from now on"
    )


def _labels(file: Path, model: str) -> Any:
    del model
    values().get(file)
    return _frame(file)


def _batch(file: Path, model: str) -> Any:
    del model
    return _frame(Path(read_record(file, "batch_predictions").output))


def _log(file: Path, model: str) -> Any:
    del file
    return resource("predictions").read(model, *_EVER)


_VERSIONED: Mapping[str, Callable[[Path, str, str | None], Any]] = {
    "raw_data": _raw,
    "processed_data": _kept,
    "features": _kept,
}
_ROWS: Mapping[str, Callable[[Path, str], Any]] = {
    "labels": _labels,
    "batch_predictions": _batch,
    _LOG: _log,
}
