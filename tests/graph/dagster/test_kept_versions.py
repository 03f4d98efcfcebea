"""The I/O manager keeps processed rows and features by the version of their data, and no record."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pandas as pd

from mlops_assets.ml.documented import Labels, TracedRows
from mlops_assets.records.data import DatasetVersion, Maturity, Origin
from resources.dagster.io import ParquetStorage
from resources.kept_versions import kept_versions


def store(storage: ParquetStorage, stage: str, value: object) -> None:
    storage.handle_output(dg.build_output_context(asset_key=dg.AssetKey(["shop", stage])), value)


def traced(md5: str, rows: int) -> TracedRows:
    raw = DatasetVersion(md5=md5, files=("a.csv",), size_bytes=1, pointer="p.dvc")
    frame = pd.DataFrame({"amount": range(rows)})
    return TracedRows(frame, Origin(raw=raw, checked_at=datetime(2026, 1, 1, tzinfo=UTC)))


def test_each_data_version_is_kept_within_the_budget_of_its_asset(tmp_path: Path) -> None:
    storage, kept = ParquetStorage(root=str(tmp_path), keep_bytes=10**9), []
    for number in range(3):
        store(storage, "features", traced(f"{number}abc", rows=number + 1))
        kept.append(len(kept_versions(tmp_path / "shop" / "features.parquet")))
    assert kept == [1, 2, 3]
    frugal = ParquetStorage(root=str(tmp_path), keep_bytes=0)
    store(frugal, "features", traced("3abc", rows=4))
    assert list(kept_versions(tmp_path / "shop" / "features.parquet")) == ["3abc"]


def test_what_is_of_no_data_version_is_not_kept(tmp_path: Path) -> None:
    known = Labels(pd.DataFrame({"y": [1]}), Maturity(known_until=None))
    store(ParquetStorage(root=str(tmp_path)), "labels", known)
    assert [file.name for file in (tmp_path / "shop").iterdir()] == ["labels.parquet"]
