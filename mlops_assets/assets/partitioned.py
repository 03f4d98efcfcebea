"""Data and features of a model with partitions: only what arrived is read, checked and computed.

A run is asked for some partitions, that of now if nobody named any, and materializes with them all
that are missing or have changed: so the value of an asset is always that of all partitions, and
what comes after needs to know of none.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from mlops_assets.assets.data import RAW, delivered, processed, processed_as, source_files
from mlops_assets.assets.declared import asset_of
from mlops_assets.assets.features import computed, features_as
from mlops_assets.config import ModelSettings
from mlops_assets.errors import DatasetError
from mlops_assets.failures import reported
from mlops_assets.keys import Stage, asset_key, partitioned, partitions_of
from mlops_assets.ml.data.sources import stored_name
from mlops_assets.ml.documented import TracedFile
from mlops_assets.records.data import DatasetVersion, Origin
from resources.datasets.partitions import EMPTY, PartitionFiles
from resources.datasets.versions import DvcDatasets
from resources.engine import FeatureEngine
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking

_ROWS = "rows"  # a long key would take the room of the tables on the page


def build_partitioned_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`raw_data` -> `processed_data` -> `features` of one model with partitions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # Dagster, about its own backfills
        return [_raw_data(settings), _processed_data(settings), _features(settings)]


def _raw_data(settings: ModelSettings) -> dg.AssetsDefinition:
    @dg.asset(
        **asset_of(settings, "raw_data"),
        **RAW,
        **partitioned(settings),
        code_version=settings.source.digest(),
    )
    def raw_data(
        context: dg.AssetExecutionContext,
        datasets: DvcDatasets,
        tracking: MLflowTracking,
        partitions: PartitionFiles,
    ) -> dg.MaterializeResult[DatasetVersion]:
        with reported(), source_files(settings) as (files, fingerprint):
            # Or a run finds out after all but the training is done.
            tracking.store.take()
            named = _named(files, settings)
            delivery, read = partitions.read(settings, named)
            version = datasets.add(settings.name, files, list(named))
            partitions.tidy(settings, named)
        parts = _Parts(context, settings, "raw_data", partitions)
        touched = parts.announce(delivery.versions, delivery.rows)
        facts = {"dagster/row_count": sum(delivery.rows.values()), "files_read": len(read)}
        facts |= delivered(version, fingerprint, datasets) | touched
        known = dg.DataVersion(version.md5)
        return dg.MaterializeResult(value=version, data_version=known, metadata=facts)

    return raw_data


def _processed_data(settings: ModelSettings) -> dg.AssetsDefinition:
    said = processed_as(settings)

    @dg.asset(
        **asset_of(settings, "processed_data", raw="raw_data"), **said, **partitioned(settings)
    )
    def processed_data(
        context: dg.AssetExecutionContext,
        raw: DatasetVersion,
        datasets: DvcDatasets,
        partitions: PartitionFiles,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        with reported(), datasets.open(raw) as files:
            now = datasets.now()
            found = partitions.check(settings, _named(files, settings), context.partition_keys, now)
        parts = _Parts(context, settings, "processed_data", partitions)
        known = dg.DataVersion(f"{raw.md5}-{said['code_version']}")
        for result in processed(found.rows, settings, Origin(raw=raw, checked_at=now), datasets):
            if isinstance(result, dg.AssetCheckResult):
                yield result
                continue
            touched = parts.announce(found.versions, found.counts)
            facts = {**(result.metadata or {}), **touched, "checked": len(found.new)}
            yield dg.MaterializeResult(value=result.value, data_version=known, metadata=facts)

    return processed_data


def _features(settings: ModelSettings) -> dg.AssetsDefinition:
    @dg.asset(**features_as(settings), **partitioned(settings))
    def features(
        context: dg.AssetExecutionContext,
        processed: TracedFile,
        datasets: DvcDatasets,
        engine: FeatureEngine,
        feature_store: FeastFeatureStore,
        partitions: PartitionFiles,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        from mlops_assets.ml.features.by_partition import by_partition

        parts = _Parts(context, settings, "features", partitions)
        for result in computed(processed, settings, datasets, engine, feature_store):
            if isinstance(result, dg.AssetCheckResult):
                yield result
                continue
            found = by_partition(result.value.rows, settings)
            facts = {**(result.metadata or {}), **parts.announce(found.versions, found.rows)}
            known = dg.DataVersion(found.version)
            yield dg.MaterializeResult(value=result.value, data_version=known, metadata=facts)

    return features


class _Parts(NamedTuple):
    """The partitions of an asset, as the run that materializes them says of them."""

    context: dg.AssetExecutionContext
    settings: ModelSettings
    stage: Stage
    files: PartitionFiles

    def announce(self, versions: Mapping[str, str], rows: Mapping[str, int]) -> dict[str, int]:
        """Say which partitions are materialized: the run's, and those that changed or are missing.

        A partition between others that has no row is there, and empty; one that no clock has
        reached is not.

        Args:
            versions: Partition -> what it is now.
            rows: Partition -> how many rows it has.

        Returns:
            How many partitions there are, and are materialized.
        """
        asked, key = {*self.context.partition_keys}, asset_key(self.settings.name, self.stage)
        now = self._reached(versions)
        changed = {*self.files.changed(self.settings, self.stage, now)}
        for name in sorted(asked):
            self.context.add_asset_metadata(
                {_ROWS: rows.get(name, 0)}, asset_key=key, partition_key=name
            )
        for name in sorted(changed - asked):
            self.context.log_event(
                dg.AssetMaterialization(
                    key,
                    partition=name,
                    metadata={_ROWS: rows.get(name, 0)},
                    tags={"dagster/data_version": now.get(name, EMPTY)},
                )
            )
        self.files.announce(self.settings, self.stage, now)
        return {"partitions": len(now), "materialized": len(changed | asked)}

    def _reached(self, versions: Mapping[str, str]) -> dict[str, str]:
        definition, partitions = partitions_of(self.settings), self.settings.partitions
        newest = definition.get_last_partition_key() if definition else None
        dated = [name for name in versions if name and newest and name <= newest]
        keys = partitions.keys_until(max(dated)) if partitions and dated else []
        return {name: versions.get(name, EMPTY) for name in keys}


def _named(files: Sequence[Path], settings: ModelSettings) -> dict[str, Path]:
    named = {stored_name(file, settings.source.partitions): file for file in files}
    if len(named) < len(files):
        raise DatasetError(
            f"several files of {settings.name} share a name: {[*map(str, files)]}; rename one"
        )
    return named
