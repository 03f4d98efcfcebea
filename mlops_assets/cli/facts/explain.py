"""The verb `explain`: a request of the log, or what an entity would be answered now."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_assets.cli.context import (
    aligned,
    chosen_models,
    ids,
    load_definitions,
    open_resources,
    say_facts,
)
from mlops_assets.cli.facts.records import Contribution, Explanation
from mlops_assets.errors import ConfigError
from mlops_assets.ml.inference.contributions import Row, additive, shapley
from mlops_assets.records.serving import Servable
from resources.endpoints.deployer import EndpointDeployer
from resources.endpoints.folder import read_checked
from resources.prediction_log.log import PredictionLog

_FEATURE = "feature_"


@dataclass(frozen=True)
class Fed:
    """A row as a version was fed, or would be."""

    features: dict[str, float | str | None]
    version: int
    source: str


def explain(model: str, asked: str, *, as_json: bool) -> int:
    """Print the row, as it was and encoded, and what each feature adds to the answer."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "deployment", "predictions") as built:
        fed = logged_row(built.predictions, model, asked) or online_row(
            built.deployment, model, asked
        )
        found = explained(model, asked, fed, built.deployment)
    say_facts(found, _said(found), as_json=as_json)
    return 0


def logged_row(log: PredictionLog, model: str, asked: str) -> Fed | None:
    """The first row of a request, as the version that answered was fed.

    None for what does not look like the id of a request.

    Raises:
        ConfigError: No request of that id is in the log.
    """
    if not re.fullmatch(r"[0-9a-f]{32}", asked):
        return None
    rows = log.request(model, asked)
    rows = rows[rows["role"] != "shadow"]
    if not len(rows):
        raise ConfigError(
            f"the prediction log of {model} has no request {asked}; take the `request_id` of an "
            "answer that was logged"
        )
    row: dict[str, Any] = rows.iloc[0].to_dict()
    features = {
        name.removeprefix(_FEATURE): None if value != value else value
        for name, value in row.items()
        if name.startswith(_FEATURE)
    }
    others = f", the first of {len(rows)} rows" if len(rows) > 1 else ""
    said = f"the prediction log, {row['logged_at']:%Y-%m-%d %H:%M} UTC{others}"
    return Fed(features, int(row["model_version"]), said)


def online_row(deployment: EndpointDeployer, model: str, asked: str) -> Fed:
    """What the champion's workers would be fed for an entity now.

    Raises:
        ConfigError: The entity is not known, or its features are too old.
    """
    from mlops_assets.serving.online.choice import open_online

    manifest = deployment.verified(model)
    entity = manifest.online.view.entity
    if entity is None:
        raise ConfigError(f"{model} has no entity; explain a request by its `request_id`")
    found = open_online(manifest.online).lookup(ids([asked], entity))
    if found.stale:
        old = found.stale[0]
        raise ConfigError(
            f"the features of {asked} are {old.age.days} days old, and {old.ttl.days} are allowed; "
            f"`mlops run {model}` renews them where there is newer data"
        )
    if not found.rows:
        raise ConfigError(
            f"no features of {entity.name} {asked}: it is in no row of the source, or expired; "
            f"`mlops run {model}` takes up new data"
        )
    source = f"the online store, as of {found.as_of[0]:%Y-%m-%d %H:%M} UTC"
    return Fed(found.rows[0], manifest.model_version, source)


def explained(model: str, asked: str, fed: Fed, deployment: EndpointDeployer) -> Explanation:
    """Why the version answers that row as it does."""
    from mlops_assets.serving.version.model import by_sklearn

    servable, file, recorded = deployment.kept(model, fed.version)
    row = {name: fed.features.get(name) for name in servable.features}
    content = read_checked(file, servable.sha256)
    loaded = by_sklearn(servable, content)
    place = int(loaded.scores([row])[0].argmax())
    background = [each.features for each in recorded] or [row]
    pipeline = Pipeline(content, servable)
    scale, found = "log-odds" if servable.task == "binary" else "the target", None
    if servable.task != "multiclass" and pipeline.is_linear:
        found = additive(pipeline.decisions, row, background)
    if found is None:
        scale = _SCALES[servable.task].format(name=_class(servable, place))
        found = shapley(lambda rows: loaded.scores(rows)[:, place], row, background)
    largest = sorted(found.by_feature.items(), key=lambda item: -abs(item[1]))
    return Explanation(
        model=model,
        version=fed.version,
        asked=asked,
        source=fed.source,
        prediction=float(loaded.scores([row])[0, place]),
        scale=scale,
        expected=found.expected,
        background_rows=len(background),
        method=found.method,
        encoded=pipeline.encoded(row),
        contributions=[
            Contribution(feature=name, value=row[name], contribution=each) for name, each in largest
        ],
    )


_SCALES = {
    "binary": "probability",
    "multiclass": "probability of {name!r}",
    "regression": "the target",
}


def _class(servable: Servable, place: int) -> str:
    return servable.classes[place] if servable.classes else ""


class Pipeline:
    """The parts of a version's scikit-learn pipeline."""

    def __init__(self, content: bytes, servable: Servable) -> None:
        """Load it, as `by_sklearn` does but with the names of its columns."""
        from mlops_assets.ml.inference.model_files import load_estimator

        self._servable = servable
        self._pipeline: Any = load_estimator(content, servable.own_types)

    @property
    def is_linear(self) -> bool:
        """Whether its last step has one coefficient for each column."""
        return hasattr(self._pipeline[-1], "coef_")

    def decisions(self, rows: Sequence[Row]) -> np.ndarray:
        """One number a row: of the decision function, or the value of a regression."""
        frame = self._frame(rows)
        if self._servable.task == "regression":
            return np.asarray(self._pipeline.predict(frame)).ravel()
        return np.asarray(self._pipeline.decision_function(frame)).ravel()

    def encoded(self, row: Row) -> dict[str, float]:
        """The row as the last step gets it, by the names of its columns."""
        before, frame = self._pipeline[:-1], self._frame([row])
        if not before.steps:
            return {name: float(frame[name].iloc[0]) for name in frame}
        values = before.transform(frame)
        names = [str(name) for name in before.get_feature_names_out()]
        (encoded,) = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
        return {name: float(value) for name, value in zip(names, encoded, strict=True)}

    def _frame(self, rows: Sequence[Row]) -> Any:
        from mlops_assets.ml.frames import feature_frame

        return feature_frame(rows, self._servable.features)


def _said(found: Explanation) -> str:
    rows = [("feature", "value", "adds")]
    rows += [
        (each.feature, _value(each.value), f"{each.contribution:+.4g}")
        for each in found.contributions
    ]
    total = found.expected + sum(each.contribution for each in found.contributions)
    encoded = ", ".join(f"{name}={value:.4g}" for name, value in found.encoded.items())
    return "\n".join(
        [
            f"{found.model}@{found.version} answers {found.asked}: {found.prediction:.4g}; its row "
            f"is of {found.source}",
            "",
            aligned(rows),
            "",
            f"{found.expected:.4g}, the mean over {found.background_rows} held-out rows, and all "
            f"of these make {total:.4g}, in {found.scale}",
            f"method: {found.method}",
            f"encoded: {encoded}",
        ]
    )


def _value(value: Any) -> str:
    if value is None:
        return "missing"
    return f"{value:g}" if isinstance(value, float) else json.dumps(value)
