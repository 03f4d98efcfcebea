"""Raw and processed data of a model with partitions: only what arrived is read and checked.

A run is asked for some partitions, that of now if nobody named any, and materializes with them all
that are missing or have changed: so the value of an asset is always that of all partitions, and
what comes after needs to know of none.
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import dagster as dg

from mlops_assets.assets.data import RAW, delivered, processed, processed_as, source_files
from mlops_assets.assets.declared import asset_of
from mlops_assets.assets.parts import Parts
from mlops_assets.config import ModelSettings
from mlops_assets.errors import DatasetError
from mlops_assets.failures import reported
from mlops_assets.keys import partitioned
from mlops_assets.ml.data.sources import stored_name
from mlops_assets.records.data import DatasetVersion, Origin
from resources.dagster.signatures import inspected_once
from resources.datasets.partitions import PartitionFiles
from resources.datasets.versions import DvcDatasets
from resources.tracking.tracking import MLflowTracking


def build_partitioned_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`raw_data` -> `processed_data` of one model with partitions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # Dagster, about its own backfills
        return [_raw_data(settings), _processed_data(settings)]


def _raw_data(settings: ModelSettings) -> dg.AssetsDefinition:
    @dg.asset(
        **asset_of(settings, "raw_data"),
        **RAW,
        **partitioned(settings),
        code_version=settings.source.digest(),
    )
    @inspected_once
    def raw_data(
        context: dg.AssetExecutionContext,
        datasets: DvcDatasets,
        tracking: MLflowTracking,
        partitions: PartitionFiles,
    ) -> dg.MaterializeResult[DatasetVersion]:
        with reported(), source_files(settings) as (files, fingerprint):
            # Or a run finds out after all but the training is done.
            tracking.store.require_server()
            named = _named(files, settings)
            delivery, read = partitions.read(settings, named)
            version = datasets.add(settings.name, files, list(named))
            partitions.tidy(settings, named)
        parts = Parts(context, settings, "raw_data", partitions)
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
    @inspected_once
    def processed_data(
        context: dg.AssetExecutionContext,
        raw: DatasetVersion,
        datasets: DvcDatasets,
        partitions: PartitionFiles,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        with reported(), datasets.open(raw) as files:
            now = datasets.now()
            found = partitions.check(settings, _named(files, settings), context.partition_keys, now)
        parts = Parts(context, settings, "processed_data", partitions)
        known = dg.DataVersion(f"{raw.md5}-{said['code_version']}")
        for result in processed(found.rows, settings, Origin(raw=raw, checked_at=now), datasets):
            if isinstance(result, dg.AssetCheckResult):
                yield result
                continue
            touched = parts.announce(found.versions, found.counts)
            facts = {**(result.metadata or {}), **touched, "partitions_checked": len(found.new)}
            yield dg.MaterializeResult(value=result.value, data_version=known, metadata=facts)

    return processed_data


def _named(files: Sequence[Path], settings: ModelSettings) -> dict[str, Path]:
    named = {stored_name(file, settings.source.partitions): file for file in files}
    if len(named) < len(files):
        raise DatasetError(
            f"several files of {settings.name} share a name: {[*map(str, files)]}; rename one"
        )
    return named
