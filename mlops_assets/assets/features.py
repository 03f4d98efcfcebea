"""Features: computed once, published to the feature store, joined point in time for training."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.assets.declared import asset_of
from mlops_assets.blocks.base import spelled_days
from mlops_assets.config import ModelSettings
from mlops_assets.errors import FeatureError
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.metadata import PROFILED, first_rows, profile, stated
from mlops_assets.ml.documented import TracedFile, TracedRows
from mlops_assets.records.data import FeatureFacts, FeatureView, Origin
from resources.dagster.alike import asset
from resources.datasets.versions import DvcDatasets
from resources.engine import FeatureEngine
from resources.feature_store import FeastFeatureStore

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.ml.features.engine import Engine
    from mlops_assets.ml.features.usable import Useless
    from mlops_assets.ml.stored_rows import AnyRows


def build_feature_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`processed_data` -> `features` of one model without partitions."""

    @asset(**features_as(settings))
    def features(
        processed: TracedFile,
        datasets: DvcDatasets,
        engine: FeatureEngine,
        feature_store: FeastFeatureStore,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        yield from computed(processed, settings, datasets, engine, feature_store)

    return [features]


def features_as(settings: ModelSettings) -> dict[str, Any]:
    """What is said of `features`, with partitions or without."""
    return {
        **asset_of(settings, "features", processed="processed_data"),
        "kinds": {"feast", "duckdb"},
        "code_version": _code_version(settings),
        "retry_policy": RETRIES,
        "check_specs": _checks(asset_key(settings.name, "features")),
        "description": "One row per entity and moment: features known then, and the target if "
        "known.",
    }


def computed(
    processed: TracedFile,
    settings: ModelSettings,
    datasets: DvcDatasets,
    engine: FeatureEngine,
    feature_store: FeastFeatureStore,
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """Compute, check, publish and join; the checks come before what they block."""
    from mlops_assets.ml.features.build import built_features
    from mlops_assets.ml.features.labelled import labelled_keys
    from mlops_assets.ml.features.usable import useless_features
    from mlops_assets.ml.frames import TIMESTAMP

    rows, origin, view = processed.rows, processed.record, FeatureView.of(settings)
    with ExitStack() as until_stored:
        with reported():
            folder = until_stored.enter_context(engine.beside(settings))
            chosen = engine.of(settings, rows.count)
            built = built_features(rows, settings, chosen, folder)
            useless = useless_features(built, settings)
        yield _have_values(useless)
        if useless.empty:  # raised before anything is published: the previous features stay
            raise dg.Failure(useless.said, allow_retries=False)
        with reported():
            require_servable(built[TIMESTAMP].max(), settings, datasets.now())
            keys = labelled_keys(rows, built, settings, origin.checked_at, chosen)
            newest = feature_store.publish(view, built)
            del built  # or what is joined stands beside it in memory
            made = {"made_by": settings.computed_by, "engine": chosen.name}
            record = origin.model_copy(update=made)
            value = _joined(view, keys, feature_store, record, folder)
        counts = {"asked_rows": len(keys), "joined_rows": len(value.rows)}
        yield _complete(counts)
        facts = {**_describe(value.rows, settings, newest), **_computed_by(chosen)}
        yield dg.MaterializeResult(value=value, metadata=facts)


def _code_version(settings: ModelSettings) -> str:
    """What else than rows features are made of; the weight of a row is one of their columns."""
    weight = [settings.training.weight] if settings.training.weight else []
    return "-".join(["3", settings.features.digest(), settings.target.digest(), *weight])


def _checks(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    said = {
        "no_row_was_lost": "The point-in-time join returned every row it was asked for, once.",
        "features_have_values": "No feature is without any value; one that is constant is named.",
    }
    return [
        dg.AssetCheckSpec(name, asset=key, blocking=True, description=description)
        for name, description in said.items()
    ]


def _joined(
    view: FeatureView,
    keys: "pd.DataFrame",
    feature_store: FeastFeatureStore,
    record: Origin,
    folder: Path | None,
) -> TracedRows | TracedFile:
    """The rows of these keys with what the store knows of them: in memory, or in a folder."""
    if folder is None:
        return TracedRows(feature_store.training_rows(view, keys), record)
    said, file = record.model_dump(mode="json"), folder / "joined.parquet"
    return TracedFile(feature_store.training_file(view, keys, file, said), record)


def _complete(counts: Mapping[str, int]) -> dg.AssetCheckResult:
    complete = len({*counts.values()}) == 1
    if not complete:
        raise dg.Failure(f"the feature store lost rows: {counts}", allow_retries=False)
    return dg.AssetCheckResult(check_name="no_row_was_lost", passed=complete, metadata=counts)


def _have_values(useless: "Useless") -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name="features_have_values",
        passed=not useless.empty,
        description=useless.said or None,
        metadata={kind: ", ".join(names) or "none" for kind, names in useless._asdict().items()},
    )


def require_servable(newest: datetime, settings: ModelSettings, now: datetime) -> None:
    """Raise `FeatureError` if, asked by id, all features would have outlived their TTL."""
    age, features = now - newest, settings.features
    if settings.entity is None or features.ttl is None or features.clock == "data":
        return
    if age > features.ttl:
        raise FeatureError(
            f"the newest row is of {newest:%Y-%m-%d %H:%M:%S} UTC, {age.days:,} days old, and "
            f"older than features.ttl, {spelled_days(features.ttl)}: nothing could be served; set "
            "`features.clock: data`, which serves historical data as of its newest row, or a "
            "longer `features.ttl`"
        )


def _computed_by(engine: "Engine") -> dict[str, Any]:
    from mlops_assets.engines.kept import Kept

    counted = {"snapshots": engine.computed} if isinstance(engine, Kept) else {}
    return {"engine": engine.name, **counted}


def _describe(joined: "AnyRows", settings: ModelSettings, newest: object) -> dict[str, Any]:
    from mlops_assets.ml.stored_rows import frame_of, some_of

    names = [*settings.features.names, settings.target.name]
    head, sample, last = some_of(joined, PROFILED)
    partly = {"profiled_rows": len(sample), **first_rows(head, len(joined))}
    return {
        "labelled_rows": int(
            frame_of(joined, [settings.target.name])[settings.target.name].notna().sum()
        ),
        "newest": str(newest),
        **stated(FeatureFacts(newest_entity=str(last[settings.key.name].iloc[-1]))),
        **profile(sample, names, settings.titles),
        **(partly if len(sample) < len(joined) else {}),
    }
