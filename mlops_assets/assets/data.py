"""Raw and processed data: versioned as delivered, then typed, checked and cleaned."""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dagster as dg

from mlops_assets.assets.declared import asset_of
from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.metadata import first_rows, profile, stated
from mlops_assets.ml.data.sources import find_files, source_fingerprint, stored_name
from mlops_assets.ml.documented import TracedRows
from mlops_assets.records.data import DatasetVersion, Origin, RejectedRows, SourceFacts
from resources.dagster.signatures import inspected_once
from resources.datasets.versions import DvcDatasets
from resources.tracking.tracking import MLflowTracking

if TYPE_CHECKING:
    from mlops_assets.ml.data.contract import Checked


def build_data_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`raw_data` -> `processed_data` of one model without partitions."""
    return [_raw_data(settings), _processed_data(settings)]


def _raw_data(settings: ModelSettings) -> dg.AssetsDefinition:
    @dg.asset(
        **asset_of(settings, "raw_data"),
        **RAW,
        code_version=settings.source.digest(),
    )
    @inspected_once
    def raw_data(
        datasets: DvcDatasets, tracking: MLflowTracking
    ) -> dg.MaterializeResult[DatasetVersion]:
        from mlops_assets.ml.data.delivered import read_rows

        with reported(), source_files(settings) as (files, fingerprint):
            # Or a run finds out after all but the training is done.
            tracking.store.require_server()
            rows = read_rows(files, settings)  # what cannot be read never becomes a version
            names = [stored_name(file, settings.source.partitions) for file in files]
            version = datasets.add(settings.name, files, names)
        facts = {**delivered(version, fingerprint, datasets), **first_rows(rows)}
        known = dg.DataVersion(version.md5)
        return dg.MaterializeResult(value=version, data_version=known, metadata=facts)

    return raw_data


def _processed_data(settings: ModelSettings) -> dg.AssetsDefinition:
    @dg.asset(
        **asset_of(settings, "processed_data", raw="raw_data"),
        **processed_as(settings),
    )
    @inspected_once
    def processed_data(
        raw: DatasetVersion, datasets: DvcDatasets
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        from mlops_assets.ml.data.delivered import checked_rows

        with reported(), datasets.open(raw) as files:
            now = datasets.now()
            checked = checked_rows(files, settings, now)
        yield from processed(checked, settings, Origin(raw=raw, checked_at=now), datasets)

    return processed_data


RAW: dict[str, Any] = {
    "kinds": {"dvc"},
    "retry_policy": RETRIES,
    "description": "The source as delivered, one DVC version per content.",
}
"""What is said of `raw_data`, with partitions or without."""


def delivered(
    version: DatasetVersion, fingerprint: str | None, datasets: DvcDatasets
) -> dict[str, Any]:
    """What `raw_data` states of a version."""
    return {
        **version.model_dump(include={"size_bytes", "md5"}),
        **stated(SourceFacts(source_fingerprint=fingerprint or "")),
        "record_in_git": datasets.record_in_git(version),
    }


def processed_as(settings: ModelSettings) -> dict[str, Any]:
    """What is said of `processed_data`, with partitions or without."""
    since = [str(settings.partitions.start)] if settings.partitions else []
    made_by = [settings.contract.digest(), settings.processing.digest()]
    return {
        "kinds": {"pandas"},
        "code_version": "-".join([*made_by, *added_columns(settings), *since]),
        "check_specs": [
            dg.AssetCheckSpec(
                "contract_holds",
                asset=asset_key(settings.name, "processed_data"),
                blocking=True,
                description="No more rows break the contract than it allows.",
            )
        ],
        "description": "Rows that keep the contract, cleaned; the others are in quarantine.",
    }


def processed(
    checked: "Checked", settings: ModelSettings, origin: Origin, datasets: DvcDatasets
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """What `processed_data` gives of checked rows: the verdict, and the rows that kept the rules.

    Raises:
        dg.Failure: The contract does not hold.
    """
    from mlops_assets.ml.data.contract import broken_contract, contract_holds, violations
    from mlops_assets.ml.data.processing import identified, process

    with reported():
        quarantine = datasets.keep_rejected(settings.name, origin.raw, checked.bad)
        holds = contract_holds(checked, settings.contract)
    rejected = RejectedRows(
        rejected_rows=len(checked.bad),
        delivered_rows=len(checked.rows) + len(checked.bad),
        quarantine=quarantine,
        broken_rules=violations(checked),
    )
    facts = stated(rejected)
    yield dg.AssetCheckResult(check_name="contract_holds", passed=holds, metadata=facts)
    if not holds:  # raised before anything is written: the previous rows stay
        raise dg.Failure(broken_contract(checked, f"in {quarantine}"), allow_retries=False)
    with reported():
        cleaned = process(checked.rows, settings.processing)
        frame = identified(cleaned, settings, origin.raw.delivered_at)
    made = {"made_by": settings.processed_by, "rejected": rejected.kept}
    value = TracedRows(frame, origin.model_copy(update=made))
    yield dg.MaterializeResult(
        value=value, metadata={**profile(frame, settings.kept_columns, {}), **facts}
    )


def added_columns(settings: ModelSettings) -> list[str]:
    """What processed rows have beside the contract's columns."""
    return [
        *([] if settings.entity else [settings.key.name]),
        *([] if settings.timestamp else [settings.timestamp_column]),
    ]


class Delivery(NamedTuple):
    """The source as files, and the fingerprint of what was looked at."""

    files: list[Path]
    fingerprint: str | None


@contextmanager
def source_files(settings: ModelSettings) -> Generator[Delivery]:
    """The source as files: those of its URI, or one of Parquet that holds the rows of another."""
    from mlops_assets.ml.data.reading import frame_to_parquet, run_loader

    source = settings.source
    if source.uri is not None:
        yield Delivery(find_files(source.uri), source_fingerprint(source))
        return
    with tempfile.TemporaryDirectory(prefix="source-") as folder:
        file = Path(folder, "raw_data.parquet")
        if source.loader is not None:
            frame_to_parquet(run_loader(source.loader), file)
            yield Delivery([file], source_fingerprint(source))
        else:
            from resources.databases.rows import deliver

            yield Delivery([file], deliver(source, settings.contract, file))
