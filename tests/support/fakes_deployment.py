"""Endpoints in memory; `e2e/` runs the same contract tests on them and on real ones."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import DeploymentError, UnsafeModelError
from mlops_assets.records.serving import Endpoint, OnlineFeatures, RecordedRequest, Servable
from mlops_assets.serving.version.model import LoadedModel, by_sklearn
from mlops_assets.serving.wire.requests import RequestDecoder
from resources.endpoints.client import FeatureRow
from resources.endpoints.deployer import EndpointDeployer, nothing
from resources.endpoints.folder import read_checked
from resources.endpoints.process import HOST, require_free
from tests.support.fakes import published


@dataclass(frozen=True)
class _Live:
    endpoint: Endpoint
    model: LoadedModel
    recorded: tuple[RecordedRequest, ...]
    online: OnlineFeatures
    settings: DeploymentSettings


@dataclass
class _State:
    live: dict[str, _Live] = field(default_factory=dict)
    versions: dict[tuple[str, int], str] = field(default_factory=dict)
    kept: dict[tuple[str, int], _Live] = field(default_factory=dict)
    known: dict[int | str, FeatureRow] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)


# By `root`, as a folder would be: Dagster gives every run a copy of the resource.
_STATES: dict[str, _State] = defaultdict(_State)


class FakeDeployment(EndpointDeployer):
    """Really loads and scores the model file, in this process.

    Features are those that a fake store published, or of which `know` was told; where there are
    neither, entity n stands for recorded request n modulo their number.
    """

    root: str

    @property
    def _state(self) -> _State:
        return _STATES[self.root]

    def know(self, known: Mapping[int | str, FeatureRow]) -> None:
        self._state.known.update(known)

    def deploy(
        self,
        servable: Servable,
        model_file: Path,
        recorded: Sequence[RecordedRequest],
        online: OnlineFeatures,
        settings: DeploymentSettings,
        confirm: Callable[[], None] = nothing,
    ) -> Endpoint:
        name = servable.model_name
        before = self._state.live.get(name)
        if before is None or before.settings.port != settings.port:
            require_free(settings.port)
        content = read_checked(model_file, servable.sha256)
        staged = self._state.versions.setdefault((name, servable.model_version), servable.sha256)
        if staged != servable.sha256:
            raise DeploymentError(f"version {servable.model_version} has another content")
        try:
            model = by_sklearn(servable, content)
        except UnsafeModelError as err:
            raise DeploymentError(f"{name} was not deployed: {err}") from err
        model.self_check(recorded)
        if before:
            # What was said of a version since it was deployed first changes nothing.
            told = servable.model_copy(update={"documents": before.model.servable.documents})
            now = (told, tuple(recorded), online, settings)
            was = (before.model.servable, before.recorded, before.online, before.settings)
            if now == was:
                confirm()
                return before.endpoint
        endpoint = Endpoint(
            url=f"http://{HOST}:{settings.port}",
            model_name=name,
            model_version=servable.model_version,
            generation=before.endpoint.generation + 1 if before else 1,
            workers=settings.workers,
            entity=servable.entity,
        )
        live = _Live(endpoint, model, tuple(recorded), online, settings)
        confirm()
        self._state.live[name] = live
        self._state.kept.setdefault((name, servable.model_version), live)
        return endpoint

    def redeploy(
        self,
        name: str,
        version: int,
        settings: DeploymentSettings,
        online: OnlineFeatures | None = None,
        confirm: Callable[[], None] = nothing,
    ) -> Endpoint:
        if (name, version) not in self._state.kept:
            known = sorted(number for model, number in self._state.kept if model == name)
            raise DeploymentError(
                f"version {version} was never deployed at this endpoint, or its files are gone; "
                f"there are {known}"
            )
        kept, before = self._state.kept[name, version], self._state.live.get(name)
        if online is not None:
            kept = replace(kept, online=online)
        if before and before == replace(kept, endpoint=before.endpoint, settings=settings):
            confirm()
            return before.endpoint
        generation = before.endpoint.generation + 1 if before else 1
        endpoint = kept.endpoint.model_copy(update={"generation": generation})
        confirm()
        self._state.live[name] = replace(kept, endpoint=endpoint, settings=settings)
        return endpoint

    def status(self, name: str) -> Endpoint | None:
        return self._state.live[name].endpoint if name in self._state.live else None

    def predict(
        self, name: str, entities: Sequence[int | str], *, logged: bool = True
    ) -> list[dict[str, Any]]:
        live = self._get(name)
        decoded = self._decode(live, "entities", {"entities": list(entities)})
        known = self._state.known or published(live.online) or self._recorded(live, decoded)
        if not set(decoded) & set(known):
            raise DeploymentError(f"{name} answered 404: unknown entities {decoded}")
        as_of = live.online.as_of.isoformat() if live.online.as_of else ""
        key, answers = live.model.servable.entity.name, []
        for entity in decoded:
            if entity not in known:
                error = {"code": "unknown_entity", "message": f"no features of {entity!r}"}
                answers.append({key: entity, "error": error})
                continue
            (answer,) = self._score(live, [known[entity]])
            answers.append({**answer, key: entity, "features_as_of": as_of})
        return answers

    def predict_features(self, name: str, rows: Sequence[FeatureRow]) -> list[dict[str, Any]]:
        live = self._get(name)
        return self._score(live, self._decode(live, "rows", {"rows": list(rows)}))

    def stop(self, name: str) -> None:
        self._state.live.pop(name, None)
        self._state.stopped.add(name)

    def stopped(self, name: str) -> bool:
        return name in self._state.stopped and name not in self._state.live

    def crash(self, name: str) -> None:
        """As `stop`, but nobody wanted it."""
        self._state.live.pop(name, None)
        self._state.stopped.discard(name)

    def forget(self, name: str, version: int) -> None:
        """As if somebody deleted the files of a version."""
        del self._state.kept[name, version]

    def _get(self, name: str) -> _Live:
        if name not in self._state.live:
            raise DeploymentError(f"no endpoint of {name!r} runs")
        return self._state.live[name]

    def _decode(self, live: _Live, kind: str, content: object) -> list[Any]:
        from mlops_assets.serving.wire.http import RequestError

        decoder = RequestDecoder(live.model.servable, live.settings.max_rows)
        try:
            return getattr(decoder, kind)(msgspec.json.encode(content))
        except RequestError as err:
            raise DeploymentError(f"answered {err.status}: {err}") from err

    def _recorded(self, live: _Live, entities: Sequence[int]) -> dict[int, FeatureRow]:
        return {who: live.recorded[who % len(live.recorded)].features for who in entities}

    def _score(self, live: _Live, rows: Sequence[FeatureRow]) -> list[dict[str, Any]]:
        servable = live.model.servable
        answers = []
        for scores in live.model.scores(rows):
            answer: dict[str, Any] = {"prediction": float(scores[0])}
            if servable.task == "multiclass":
                label = servable.classes[int(scores.argmax())]
                shares = dict(zip(servable.classes, map(float, scores), strict=True))
                answer = {"prediction": label, "probabilities": shares}
            answers.append(answer)
        return answers
