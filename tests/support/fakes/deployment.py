"""Endpoints in memory; `e2e/` runs the same contract tests on them and on real ones."""

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError, UnsafeModelError
from mlops_assets.records.files import MODEL_FILE, VERSIONS_FOLDER
from mlops_assets.records.serving import Endpoint, Manifest, RecordedRequest
from mlops_assets.serving.version.model import LoadedModel, by_sklearn
from mlops_assets.serving.wire.requests import RequestDecoder
from resources.endpoints.client import EndpointClient, FeatureRow
from resources.endpoints.deployer import EndpointDeployer
from resources.endpoints.folder import EndpointFolder
from resources.endpoints.process import HOST, require_free
from resources.endpoints.target import Release, Target
from tests.support.fakes.features import published


@dataclass(frozen=True)
class _Live:
    manifest: Manifest
    model: LoadedModel
    recorded: tuple[RecordedRequest, ...]
    settings: DeploymentSettings


@dataclass
class _State:
    live: dict[str, _Live] = field(default_factory=dict)
    known: dict[int | str, FeatureRow] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)


# By `root`, as a server would be: Dagster gives every run a copy of the resource.
_STATES: dict[str, _State] = defaultdict(_State)


class FakeDeployment(EndpointDeployer):
    """Really stages, loads and scores the model file, in this process.

    Features are those that a fake store published, or of which `know` was told; where there are
    neither, entity n stands for recorded request n modulo their number.
    """

    def know(self, known: Mapping[int | str, FeatureRow]) -> None:
        _STATES[self.root].known.update(known)

    def crash(self, name: str) -> None:
        """As `stop`, but nobody wanted it."""
        _STATES[self.root].live.pop(name, None)

    def leave_trial(self, name: str) -> None:
        """As if the process that waited for a verdict was killed."""
        _STATES[self.root].tried.add(name)

    def forget(self, name: str, version: int) -> None:
        """As if somebody deleted the files of a version."""
        shutil.rmtree(self._folder(name).path / VERSIONS_FOLDER / str(version))

    def _target(self, folder: EndpointFolder) -> Target:
        return _InMemory(folder, _STATES[self.root])

    def _next_target(self, folder: EndpointFolder, settings: DeploymentSettings) -> Target:
        return self._target(folder)


class _InMemory(Target):
    """A dictionary in place of processes."""

    def __init__(self, folder: EndpointFolder, state: _State) -> None:
        super().__init__(folder)
        self._state, self._name = state, folder.path.name

    def url(self) -> str | None:
        live = self._state.live.get(self._name)
        return f"http://{HOST}:{live.settings.port}" if live else None

    def abandoned_trial(self) -> bool:
        return self._name in self._state.tried

    def workers(self) -> int:
        return self._state.live[self._name].settings.workers

    def client(self, url: str, timeout_seconds: float = 30.0) -> EndpointClient:
        return _InMemoryClient(url, self._state.live[self._name], self._state.known)

    def deploy(self, release: Release) -> Endpoint:
        before, settings = self._state.live.get(self._name), release.settings
        if before is None or before.settings.port != settings.port:
            require_free(settings.port)
        wanted = self._stage(release)
        runs = before and (before.settings.port, before.settings.workers)
        if runs == (settings.port, settings.workers) and self._verified_as(wanted):
            release.confirm()
        else:
            live = _Live(wanted, _loaded(release, wanted), tuple(release.recorded), settings)
            release.confirm()
            self._folder.mark_verified(wanted)
            self._state.live[self._name] = live
        endpoint = self.endpoint()
        assert endpoint is not None
        return endpoint

    def end(self) -> None:
        self._state.live.pop(self._name, None)


def _loaded(release: Release, wanted: Manifest) -> LoadedModel:
    try:
        content = Path(wanted.folder, MODEL_FILE).read_bytes()
        model = by_sklearn(release.servable, content)
    except UnsafeModelError as err:
        raise DeploymentError(f"{wanted.model_name} was not deployed: {err}") from err
    model.self_check(release.recorded)
    return model


class _InMemoryClient(EndpointClient):
    """Asks a loaded model."""

    def __init__(self, url: str, live: _Live, known: Mapping[int | str, FeatureRow]) -> None:
        super().__init__(url)
        self._live, self._known = live, known

    def model(self) -> dict[str, Any]:
        entity = self._live.model.servable.entity
        said = entity and entity.model_dump(mode="json")
        return {**self._live.manifest.model_dump(mode="json"), "entity": said}

    def predict(
        self, entities: Sequence[int | str], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        live = self._live
        decoded = self._decode("entities", list(entities))
        known = self._known or published(live.manifest.online) or self._recorded(decoded)
        if not set(decoded) & set(known):
            raise DeploymentError(f"{self.url} answered 404: unknown entities {decoded}")
        as_of = live.manifest.online.as_of
        key, answers = live.model.servable.key.name, []
        for entity in decoded:
            if entity not in known:
                error = {"code": "unknown_entity", "message": f"no features of {entity!r}"}
                answers.append({key: entity, "error": error})
                continue
            (answer,) = self._score([known[entity]])
            features_as_of = as_of.isoformat() if as_of else ""
            answers.append({**answer, key: entity, "features_as_of": features_as_of})
        return answers

    def predict_features(
        self, rows: Sequence[FeatureRow], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        return self._score(self._decode("rows", list(rows)))

    def _decode(self, kind: str, content: list[Any]) -> list[Any]:
        from mlops_assets.serving.wire.http import RequestError

        decoder = RequestDecoder(self._live.model.servable, self._live.manifest.max_rows)
        try:
            return getattr(decoder, kind)(msgspec.json.encode({kind: content}))
        except RequestError as err:
            raise DeploymentError(f"answered {err.status}: {err}") from err

    def _recorded(self, entities: Sequence[int]) -> dict[int, FeatureRow]:
        recorded = self._live.recorded
        return {who: recorded[who % len(recorded)].features for who in entities}

    def _score(self, rows: Sequence[FeatureRow]) -> list[dict[str, Any]]:
        servable = self._live.model.servable
        answers = []
        for scores in self._live.model.scores(rows):
            answer: dict[str, Any] = {"prediction": float(scores[0])}
            if servable.task == "multiclass":
                label = servable.classes[int(scores.argmax())]
                shares = dict(zip(servable.classes, map(float, scores), strict=True))
                answer = {"prediction": label, "probabilities": shares}
            answers.append(answer)
        return answers
