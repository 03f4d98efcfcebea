"""In-memory stand-ins for data and features; `e2e/` holds them and the real to the same contracts.

They import neither Feast nor DVC, so that a test of the graph takes milliseconds.
"""

import hashlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.errors import DatasetError, FeatureStoreError
from mlops_assets.ml.file_part import Part, in_memory
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.stored_rows import StoredRows
from mlops_assets.records.data import DatasetVersion, FeatureView, stored_name
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.runtime.atomic import write_atomically
from resources.datasets.versions import DvcDatasets
from resources.feature_store import FeastFeatureStore
from resources.offline_features import joined_file

# By address, as with the real one: Dagster makes a new resource object for each run.
_PUBLISHED: dict[tuple[str, str], pd.DataFrame] = {}


class FakeDatasets(DvcDatasets):
    """Versions as folders named by the content's hash."""

    def add(self, model: str, files: Sequence[Path], names: Sequence[str] = ()) -> DatasetVersion:
        named = zip(names or [file.name for file in files], files, strict=True)
        contents = {name: file.read_bytes() for name, file in named}
        md5 = hashlib.md5(b"".join(contents[name] for name in sorted(contents))).hexdigest()
        folder = Path(self.cache, md5)
        for name, content in contents.items():
            write_atomically(folder / name, lambda file, content=content: file.write_bytes(content))
        return DatasetVersion(
            md5=md5 if len(files) == 1 else f"{md5}.dir",
            files=tuple(sorted(contents)),
            size_bytes=sum(map(len, contents.values())),
            pointer=f"data/{model}/raw_data.dvc",
            delivered_at=self.delivered_at(model, md5),
        )

    @contextmanager
    def open(self, version: DatasetVersion) -> Generator[list[Path]]:
        folder = Path(self.cache, version.md5.removesuffix(".dir"))
        if not folder.exists():
            raise DatasetError(f"version {version.md5} is not in the cache; `dvc fetch`")
        yield sorted(file for file in folder.rglob("*") if file.is_file())

    def damaged_files(self, version: DatasetVersion) -> list[str]:
        folder = Path(self.cache, version.md5.removesuffix(".dir"))
        content = b"".join(
            (folder / n).read_bytes() for n in version.files if (folder / n).exists()
        )
        intact = hashlib.md5(content).hexdigest() == version.md5.removesuffix(".dir")
        return [] if intact else list(version.files)


class FakeFeatureStore(FeastFeatureStore):
    """Frames in memory, joined point in time by pandas."""

    def publish(self, view: FeatureView, rows: Part) -> datetime:
        published = in_memory(rows).sort_values(TIMESTAMP, ignore_index=True)
        _PUBLISHED[self.root, view.name] = published
        return rows[TIMESTAMP].max().to_pydatetime()

    def training_file(
        self, view: FeatureView, keys: pd.DataFrame, path: Path, said: Mapping[str, Any]
    ) -> StoredRows:
        joined = self.training_rows(view, keys)
        columns = ((name, joined[name].to_numpy()) for name in view.features)
        return joined_file(path, joined[[*keys.columns]], columns, said)

    def training_rows(self, view: FeatureView, keys: pd.DataFrame) -> pd.DataFrame:
        joined = pd.merge_asof(
            keys.sort_values(TIMESTAMP),
            self._published(view),
            on=TIMESTAMP,
            by=view.key.name,
            tolerance=pd.Timedelta(view.ttl),
        )
        joined = joined[[*keys.columns, *view.features]]
        return joined.sort_values([TIMESTAMP, view.key.name], ignore_index=True)

    def online_rows(self, view: FeatureView, entities: Sequence[int | str]) -> pd.DataFrame:
        rows = self._published(view)
        fresh = rows[rows[TIMESTAMP].max() - rows[TIMESTAMP] <= view.ttl]
        newest = fresh.groupby(view.key.name).tail(1)
        newest = newest.set_index(view.key.name, drop=False)
        known = [entity for entity in entities if entity in newest.index]
        names = [view.key.name, TIMESTAMP, *view.features]
        return newest.loc[known, names].reset_index(drop=True)

    def offline_file(self, view: FeatureView) -> Path:
        file = self._folder(view) / "features.parquet"
        rows = self._published(view).rename(columns=stored_name)
        write_atomically(file, lambda path: rows.to_parquet(path, index=False))
        return file

    def oldest(self, view: FeatureView) -> datetime:
        return self._published(view)[TIMESTAMP].min().to_pydatetime()

    def serving_config(self, view: FeatureView) -> dict[str, Any]:
        return {"project": view.name, "published_in": self.root}

    def _published(self, view: FeatureView) -> pd.DataFrame:
        if (self.root, view.name) not in _PUBLISHED:
            raise FeatureStoreError(f"no features of {view.name!r}; materialize them")
        return _PUBLISHED[self.root, view.name]


def published(online: OnlineFeatures) -> dict[int | str, dict[str, Any]]:
    """Entity -> the features that a fake store would serve; empty of any other store."""
    rows = _PUBLISHED.get((online.store.get("published_in", ""), online.view.name))
    if rows is None:
        return {}
    newest = rows.drop_duplicates(online.view.key.name, keep="last")
    values = newest[list(online.view.features)].astype(object)
    features = values.where(values.notna(), None).to_dict("records")
    return dict(zip(newest[online.view.key.name].tolist(), features, strict=True))
