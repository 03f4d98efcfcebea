"""Raw and processed data: versioned as delivered, then typed, checked and cleaned."""

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import dagster as dg

from mlops_assets.assets.declared import asset_of
from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.metadata import PROFILED, first_rows, profile, stated
from mlops_assets.ml.data.sources import find_files, source_fingerprint, stored_name
from mlops_assets.ml.documented import TracedFile, TracedRows
from mlops_assets.records.data import DatasetVersion, Origin, RejectedRows, SourceFacts
from resources.dagster.alike import asset
from resources.datasets.versions import DvcDatasets
from resources.engine import FeatureEngine
from resources.tracking.tracking import MLflowTracking

if TYPE_CHECKING:
    from mlops_assets.ml.data.contract import Checked
    from mlops_assets.ml.data.piecewise.streamed import Streamed


def build_data_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`raw_data` -> `processed_data` of one model without partitions."""
    return [_raw_data(settings), _processed_data(settings)]


def _raw_data(settings: ModelSettings) -> dg.AssetsDefinition:
    @asset(
        **asset_of(settings, "raw_data"),
        **RAW,
        code_version=settings.source.digest(),
    )
    def raw_data(
        datasets: DvcDatasets, tracking: MLflowTracking
    ) -> dg.MaterializeResult[DatasetVersion]:
        with reported(), source_files(settings) as (files, fingerprint):
            # Or a run finds out after all but the training is done.
            tracking.store.take()
            begin = _readable(files, settings)  # what cannot be read never becomes a version
            names = [stored_name(file, settings.source.partitions) for file in files]
            version = datasets.add(settings.name, files, names)
        facts = {**delivered(version, fingerprint, datasets), **begin}
        known = dg.DataVersion(version.md5)
        return dg.MaterializeResult(value=version, data_version=known, metadata=facts)

    return raw_data


def _processed_data(settings: ModelSettings) -> dg.AssetsDefinition:
    @asset(
        **asset_of(settings, "processed_data", raw="raw_data"),
        **processed_as(settings),
    )
    def processed_data(
        raw: DatasetVersion, datasets: DvcDatasets, engine: FeatureEngine
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
        from mlops_assets.ml.data.delivered import checked_rows
        from mlops_assets.ml.data.piecewise.streamed import stream_rows

        origin = Origin(raw=raw, checked_at=datasets.now())
        with ExitStack() as until_stored:
            with reported(), datasets.open(raw) as files:
                folder = until_stored.enter_context(engine.checking(settings, files))
                if folder is None:
                    found = checked_rows(files, settings, origin.checked_at)
                else:
                    found = stream_rows(files, settings, origin, folder, PROFILED)
            yield from processed(found, settings, origin, datasets)

    return processed_data


def _readable(files: Sequence[Path], settings: ModelSettings) -> dict[str, Any]:
    """How long a source is and how it begins; `SourceError` if it cannot be read to its end."""
    from mlops_assets.ml.data.delivered import row_batches

    batches = row_batches(files, settings)
    first = next(batches)
    rows = len(first) + sum(map(len, batches))
    return first_rows(first, rows)


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
    found: "Checked | Streamed", settings: ModelSettings, origin: Origin, datasets: DvcDatasets
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult]:
    """What `processed_data` gives of checked rows: the verdict, and the rows that kept the rules.

    Raises:
        dg.Failure: The contract does not hold.
    """
    from mlops_assets.ml.data.contract import Checked
    from mlops_assets.ml.data.verdict import Tally, broken_contract, contract_holds

    tally = Tally.of(found) if isinstance(found, Checked) else found.tally
    with reported():
        quarantine = datasets.keep_rejected(settings.name, origin.raw, found.bad)
        holds = contract_holds(tally, settings.contract)
    rejected = RejectedRows(
        rejected_rows=tally.bad,
        delivered_rows=tally.good + tally.bad,
        quarantine=quarantine,
        broken_rules=dict(tally.broken),
    )
    facts = stated(rejected)
    yield dg.AssetCheckResult(check_name="contract_holds", passed=holds, metadata=facts)
    if not holds:  # raised before anything is written: the previous rows stay
        raise dg.Failure(broken_contract(tally, f"in {quarantine}"), allow_retries=False)
    made = {"made_by": settings.processed_by, "rejected": rejected.kept}
    record = origin.model_copy(update=made)
    with reported():
        value, seen = _cleaned(found, settings, record)
    yield dg.MaterializeResult(value=value, metadata={**seen, **facts})


def _cleaned(
    found: "Checked | Streamed", settings: ModelSettings, record: Origin
) -> tuple[TracedRows | TracedFile, dict[str, Any]]:
    """The processed rows, and what they look like."""
    from mlops_assets.ml.data.contract import Checked
    from mlops_assets.ml.data.processing import identified, process

    names = settings.kept_columns
    if isinstance(found, Checked):
        cleaned = process(found.rows, settings.processing)
        frame = identified(cleaned, settings, record.raw.delivered_at)
        return TracedRows(frame, record), profile(frame, names, {})
    file = TracedFile.of(found.finished(record.model_dump(mode="json")))
    looked_at = {**profile(found.sample, names, {}), "profiled_rows": len(found.sample)}
    return file, {**looked_at, **first_rows(found.head, found.count)}


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
