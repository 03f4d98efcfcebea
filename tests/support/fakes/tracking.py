"""An in-memory stand-in for the tracking of runs and versions, held to the same contract tests.

It does not import MLflow, so that a test of the graph takes milliseconds.
"""

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd

from mlops_assets.errors import TrackingError
from mlops_assets.records.evaluation import ModelVersion
from resources.tracking.outcome import PROCESS, Status, is_gone
from resources.tracking.registry import MLflowRegistry, model_version
from resources.tracking.run import MLflowRun, refuse_unsafe
from resources.tracking.runs import RUN_ID, MLflowRuns, joined_tags
from resources.tracking.store import ui_page
from resources.tracking.tracking import MLflowTracking


@dataclass
class Server:
    """What a tracking server remembers."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    models: list[tuple[str, bytes]] = field(default_factory=list)
    beside: dict[int, dict[str, bytes]] = field(default_factory=dict)
    said: dict[int, dict[str, str]] = field(default_factory=dict)
    """Id of the run and file of each version."""


# By address, as with the real ones: Dagster makes a new resource object for each run.
_SERVERS: dict[str, Server] = defaultdict(Server)


class FakeRun(MLflowRun):
    """What was logged, in memory; it need not be open."""

    @property
    def _said(self) -> dict[str, Any]:
        return _SERVERS[self.store.artifacts].runs[self.id]

    @contextmanager
    def child(self, name: str, tags: Mapping[str, str] | None = None) -> Generator[Self]:
        child = replace(self, id=_new_run(_SERVERS[self.store.artifacts], name))
        child.add_tags({**(tags or {}), "mlflow.parentRunId": self.id})
        status = "FAILED"
        try:
            yield child
            status = "FINISHED"
        finally:
            child._said["status"] = status

    def tags(self) -> dict[str, str]:
        return self._said["tags"]

    def add_tags(self, tags: Mapping[str, str]) -> None:
        self._said["tags"].update(tags)

    def rename(self, name: str) -> None:
        self._said["name"] = name

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        self._said["metrics"].update(metrics)

    def log_params(self, params: Mapping[str, Any]) -> None:
        self._said["params"] = dict(params)

    def log_plots(self, plots: Mapping[str, bytes]) -> None: ...

    def log_text(self, name: str, text: str) -> None:
        self._said.setdefault("texts", {})[name] = text

    def read_text(self, name: str) -> str | None:
        return self._said.get("texts", {}).get(name)

    def log_dataset(self, rows: pd.DataFrame, *, name: str, digest: str, target: str) -> None:
        self._said["dataset"] = digest

    def log_model(
        self,
        model: Any,
        *,
        registered_name: str,
        example: pd.DataFrame,
        beside: Mapping[str, bytes] | None = None,
        own: Sequence[str] = (),
    ) -> ModelVersion:
        import skops.io

        refuse_unsafe(model, own)
        number = self.register(skops.io.dumps(model))
        _SERVERS[self.store.artifacts].beside[number] = dict(beside or {})
        return model_version(registered_name, number, self.id)

    def register(self, file: bytes) -> int:
        """A new version of this run; its number."""
        models = _SERVERS[self.store.artifacts].models
        models.append((self.id, file))
        return len(models)


class FakeRuns(MLflowRuns):
    """Opens and closes runs in memory."""

    @contextmanager
    def open(self, experiment: str, tags: Mapping[str, str]) -> Generator[FakeRun]:
        server = _SERVERS[self.store.artifacts]
        found = [
            name
            for name, run in server.runs.items()
            if RUN_ID in tags
            and (run["experiment"], run["tags"].get(RUN_ID)) == (experiment, tags[RUN_ID])
        ]
        name = found[0] if found else _new_run(server, experiment)
        run = server.runs[name]
        run["tags"].update(joined_tags(run["tags"], tags))
        status = "FAILED"
        try:
            yield FakeRun(self.store, name)
            status = "FINISHED"
        finally:
            run["status"] = "RUNNING" if RUN_ID in tags else status

    def close(self, dagster_run_id: str, status: Status, said: str = "RUNNING") -> None:
        runs = _SERVERS[self.store.artifacts].runs
        for name, run in runs.items():
            if run["tags"].get(RUN_ID) != dagster_run_id or run["status"] != said:
                continue
            run["status"] = status
            for child in runs.values():
                parent = child["tags"].get("mlflow.parentRunId")
                if parent == name and child["status"] == "RUNNING":
                    child["status"] = "FAILED" if status == "FINISHED" else status

    def left_by_the_dead(self) -> set[str]:
        runs = _SERVERS[self.store.artifacts].runs.values()
        running = [run["tags"] for run in runs if run["status"] == "RUNNING"]
        return {tags[RUN_ID] for tags in running if is_gone(tags.get(PROCESS, ""))}


class FakeRegistry(MLflowRegistry):
    """Skops files and aliases in memory."""

    @property
    def _server(self) -> Server:
        return _SERVERS[self.store.artifacts]

    def download_model(self, model: ModelVersion, folder: Path) -> Path:
        if not 1 <= model.version <= len(self._server.models):
            raise TrackingError(f"no version {model.uri}")
        file = folder / "model.skops"
        file.write_bytes(self._server.models[model.version - 1][1])
        for name, content in self._server.beside.get(model.version, {}).items():
            (folder / name).write_bytes(content)
        return file

    def set_alias(self, model: ModelVersion, alias: str) -> None:
        self._server.aliases[alias] = model.version

    def tag(self, model: ModelVersion, tags: Mapping[str, str]) -> None:
        self._server.said.setdefault(model.version, {}).update(tags)

    def describe(self, model: ModelVersion, said: str, of_all: str) -> None:
        self.tag(model, {"description": said})

    def versions(self, name: str) -> list[int]:
        return [*range(1, len(self._server.models) + 1)]

    def version(self, name: str, number: int) -> ModelVersion | None:
        if not 1 <= number <= len(self._server.models):
            return None
        run_id, _ = self._server.models[number - 1]
        return model_version(name, number, run_id)

    def version_by_alias(self, name: str, alias: str) -> ModelVersion | None:
        return FakeRegistry.version(self, name, self._server.aliases.get(alias, 0))


class FakeTracking(MLflowTracking):
    """The parts above; a test puts one of its own in their place."""

    registry_class: ClassVar[type[FakeRegistry]] = FakeRegistry
    run_class: ClassVar[type[FakeRun]] = FakeRun

    @property
    def server(self) -> Server:
        return _SERVERS[self.artifacts]

    @property
    def registry(self) -> FakeRegistry:
        return self.registry_class(self.store)

    @property
    def runs(self) -> FakeRuns:
        return FakeRuns(self.store)

    def run_of(self, model: ModelVersion) -> FakeRun:
        return self.run_class(self.store, model.run_id)

    @contextmanager
    def run(self, experiment: str, tags: Mapping[str, str]) -> Generator[FakeRun]:
        with super().run(experiment, tags) as opened:
            yield self.run_class(self.store, opened.id)

    def links(self, model: ModelVersion) -> dict[str, str]:
        return {
            "mlflow_run": ui_page("", self.mlflow_url, model.run_id),
            "mlflow_version": ui_page("", self.mlflow_url, str(model.version)),
        }


def _new_run(server: Server, experiment: str) -> str:
    name = f"run-{len(server.runs) + 1}"
    new = {"experiment": experiment, "status": "RUNNING", "tags": {}, "metrics": {}}
    server.runs[name] = new
    return name
