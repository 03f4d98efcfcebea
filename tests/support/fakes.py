"""In-memory stand-ins for the resources; `e2e/` runs the same contract tests on them and the real.

They import neither MLflow, Feast nor DVC, so that a test of the graph takes milliseconds.
"""

import hashlib
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_assets.errors import DatasetError, FeatureStoreError, TrackingError
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import DatasetVersion, FeatureView
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.serving import OnlineFeatures
from mlops_assets.runtime.atomic import write_atomically
from resources.datasets import DvcDatasets
from resources.feature_store import FeastFeatureStore
from resources.tracking.outcome import PROCESS, Status, is_gone
from resources.tracking.registry import model_version
from resources.tracking.runs import RUN_ID, joined_tags
from resources.tracking.tracking import MLflowTracking


@dataclass
class Server:
    """What a tracking server remembers."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    models: list[tuple[str, bytes]] = field(default_factory=list)
    beside: dict[int, dict[str, bytes]] = field(default_factory=dict)
    """Id of the run and file of each version."""


# By address, as with the real ones: Dagster makes a new resource object for each run.
_SERVERS: dict[str, Server] = defaultdict(Server)
_PUBLISHED: dict[tuple[str, str], pd.DataFrame] = {}


class FakeDatasets(DvcDatasets):
    """Versions as folders named by the content's hash."""

    def add(self, model: str, files: Sequence[Path]) -> DatasetVersion:
        contents = {file.name: file.read_bytes() for file in files}
        md5 = hashlib.md5(b"".join(contents[name] for name in sorted(contents))).hexdigest()
        folder = Path(self.cache, md5)
        for name, content in contents.items():
            write_atomically(folder / name, lambda file, content=content: file.write_bytes(content))
        return DatasetVersion(
            md5=md5 if len(files) == 1 else f"{md5}.dir",
            files=tuple(sorted(contents)),
            size_bytes=sum(map(len, contents.values())),
            pointer=f"data/{model}/raw_data.dvc",
        )

    @contextmanager
    def open(self, version: DatasetVersion) -> Generator[list[Path]]:
        folder = Path(self.cache, version.md5.removesuffix(".dir"))
        if not folder.exists():
            raise DatasetError(f"version {version.md5} is not in the cache; `dvc fetch`")
        yield sorted(folder.iterdir())

    def damaged_files(self, version: DatasetVersion) -> list[str]:
        folder = Path(self.cache, version.md5.removesuffix(".dir"))
        content = b"".join(
            (folder / n).read_bytes() for n in version.files if (folder / n).exists()
        )
        intact = hashlib.md5(content).hexdigest() == version.md5.removesuffix(".dir")
        return [] if intact else list(version.files)


class FakeFeatureStore(FeastFeatureStore):
    """Frames in memory, joined point in time by pandas."""

    def publish(self, view: FeatureView, rows: pd.DataFrame) -> datetime:
        _PUBLISHED[self.root, view.name] = rows.sort_values(TIMESTAMP, ignore_index=True)
        return rows[TIMESTAMP].max().to_pydatetime()

    def training_rows(self, view: FeatureView, keys: pd.DataFrame) -> pd.DataFrame:
        joined = pd.merge_asof(
            keys.sort_values(TIMESTAMP),
            self._published(view),
            on=TIMESTAMP,
            by=view.entity.name,
            tolerance=pd.Timedelta(view.ttl),
        )
        joined = joined[[*keys.columns, *view.features]]
        return joined.sort_values([TIMESTAMP, view.entity.name], ignore_index=True)

    def online_rows(self, view: FeatureView, entities: Sequence[int | str]) -> pd.DataFrame:
        rows = self._published(view)
        fresh = rows[rows[TIMESTAMP].max() - rows[TIMESTAMP] <= view.ttl]
        newest = fresh.groupby(view.entity.name).tail(1)
        newest = newest.set_index(view.entity.name, drop=False)
        known = [entity for entity in entities if entity in newest.index]
        names = [view.entity.name, TIMESTAMP, *view.features]
        return newest.loc[known, names].reset_index(drop=True)

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
    newest = rows.drop_duplicates(online.view.entity.name, keep="last")
    values = newest[list(online.view.features)].astype(object)
    features = values.where(values.notna(), None).to_dict("records")
    return dict(zip(newest[online.view.entity.name].tolist(), features, strict=True))


class FakeTracking(MLflowTracking):
    """A registry of skops files; remembers what it was told."""

    @property
    def server(self) -> Server:
        return _SERVERS[self.artifacts]

    @contextmanager
    def _open(self, experiment: str, tags: Mapping[str, str]) -> Generator[str]:
        self._run_id = self._same_run(experiment, tags) or self._new_run(experiment)
        run = self.server.runs[self._run_id]
        run["tags"].update(joined_tags(run["tags"], tags))
        status = "FAILED"
        try:
            yield self._run_id
            status = "FINISHED"
        finally:
            run["status"] = "RUNNING" if RUN_ID in tags else status

    @contextmanager
    def child_run(self, name: str, tags: Mapping[str, str] | None = None) -> Generator[str]:
        parent, self._run_id = self._run_id, self._new_run(name)
        run = self.server.runs[self._run_id]
        run["tags"].update({**(tags or {}), "mlflow.parentRunId": parent})
        status = "FAILED"
        try:
            yield self._run_id
            status = "FINISHED"
        finally:
            run["status"], self._run_id = status, parent

    def _same_run(self, experiment: str, tags: Mapping[str, str]) -> str | None:
        for name, run in self.server.runs.items():
            same = (run["experiment"], run["tags"].get(RUN_ID)) == (experiment, tags.get(RUN_ID))
            if same and RUN_ID in tags:
                return name
        return None

    def _new_run(self, experiment: str) -> str:
        name = f"run-{len(self.server.runs) + 1}"
        new = {"experiment": experiment, "status": "RUNNING", "tags": {}, "metrics": {}}
        self.server.runs[name] = new
        return name

    def close(self, dagster_run_id: str, status: Status) -> None:
        for name, run in self.server.runs.items():
            if run["tags"].get(RUN_ID) != dagster_run_id or run["status"] != "RUNNING":
                continue
            run["status"] = status
            for child in self.server.runs.values():
                parent = child["tags"].get("mlflow.parentRunId")
                if parent == name and child["status"] == "RUNNING":
                    child["status"] = "FAILED" if status == "FINISHED" else status

    def left_by_the_dead(self) -> set[str]:
        running = [r["tags"] for r in self.server.runs.values() if r["status"] == "RUNNING"]
        return {tags[RUN_ID] for tags in running if is_gone(tags.get(PROCESS, ""))}

    def links(self, model: ModelVersion) -> dict[str, str]:
        return {
            "mlflow_run": f"{self.mlflow_url}/{model.run_id}",
            "mlflow_version": f"{self.mlflow_url}/{model.version}",
        }

    def add_tags(self, tags: Mapping[str, str]) -> None:
        self.server.runs[self._run_id]["tags"].update(tags)

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        self.server.runs[self._run_id]["metrics"].update(metrics)

    def log_params(self, params: Mapping[str, Any]) -> None:
        self.server.runs[self._run_id]["params"] = dict(params)

    def log_dataset(self, rows: pd.DataFrame, *, name: str, digest: str, target: str) -> None:
        self.server.runs[self._run_id]["dataset"] = digest

    def log_model(
        self,
        model: Any,
        *,
        registered_name: str,
        example: pd.DataFrame,
        beside: Mapping[str, bytes] | None = None,
    ) -> ModelVersion:
        import skops.io

        self.refuse_unsafe(model)
        self.register(skops.io.dumps(model))
        self.server.beside[len(self.server.models)] = dict(beside or {})
        return self._version(registered_name, len(self.server.models))

    def register(self, file: bytes) -> None:
        """A new version of the open run."""
        self.server.models.append((self._run_id, file))

    def log_evaluation(
        self, model: ModelVersion, metrics: Mapping[str, float], plots: Mapping[str, bytes]
    ) -> None:
        self.server.runs[model.run_id]["metrics"].update(metrics)

    def log_text(self, model: ModelVersion, name: str, text: str) -> None:
        self.server.runs[model.run_id].setdefault("texts", {})[name] = text

    def read_text(self, model: ModelVersion, name: str) -> str | None:
        return self.server.runs[model.run_id].get("texts", {}).get(name)

    def download_model(self, model: ModelVersion, folder: Path) -> Path:
        if not 1 <= model.version <= len(self.server.models):
            raise TrackingError(f"no version {model.uri}")
        file = folder / "model.skops"
        file.write_bytes(self.server.models[model.version - 1][1])
        for name, content in self.server.beside.get(model.version, {}).items():
            (folder / name).write_bytes(content)
        return file

    def set_alias(self, model: ModelVersion, alias: str) -> None:
        self.server.aliases[alias] = model.version

    def version(self, name: str, number: int) -> ModelVersion | None:
        if not 1 <= number <= len(self.server.models):
            return None
        return self._version(name, number)

    def _version(self, name: str, number: int) -> ModelVersion:
        run_id, _ = self.server.models[number - 1]
        return model_version(name, number, run_id)

    def tags(self, model: ModelVersion) -> dict[str, str]:
        return self.server.runs[model.run_id]["tags"]

    def version_by_alias(self, name: str, alias: str) -> ModelVersion | None:
        if alias not in self.server.aliases:
            return None
        return self._version(name, self.server.aliases[alias])
