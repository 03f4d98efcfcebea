"""The verbs `predict`, `status`, `stop` and `up`, of endpoints that live already."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.cli.context import (
    chosen_models,
    exit_code,
    ids,
    load_definitions,
    open_resources,
    say,
    say_both,
    say_facts,
)
from mlops_assets.cli.facts.records import (
    Answered,
    BroughtUp,
    ServedModel,
    StoppedEndpoint,
)
from mlops_assets.cli.failures import survived
from mlops_assets.components.loading import left_out
from mlops_assets.components.settings import loaded_models
from mlops_assets.errors import ConfigError, DeploymentError, MlopsError
from mlops_assets.home import endpoints_root
from mlops_assets.records.serving import Endpoint
from resources.champion.ledger import PromotionLedger
from resources.deployment import EndpointTargets
from resources.endpoints.deployer import EndpointDeployer

_NEVER = "nothing was ever deployed"


def predict(model: str, entities: Sequence[str], *, as_json: bool) -> int:
    """Print one line per entity; exit code 1 when one is refused."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "deployment") as built:
        found = answered(built.deployment, model, entities)
    if as_json:
        say_facts(found, "", as_json=True)
        return 1 if any(answer.error for answer in found) else 0
    return say_both(*_lines(found))


def status(models: Sequence[str], html: Path | None = None, *, as_json: bool = False) -> int:
    """Print what each endpoint serves; exit code 1 unless that is its champion, by a sound YAML."""
    definitions = load_definitions()
    with open_resources(definitions, "deployment", "ledger") as built:
        strays = undescribed(definitions, built.deployment)
        chosen = chosen_models(definitions, models, strays)
        found = [served(built.deployment, built.ledger, model, strays) for model in chosen]
    if html is not None:
        known = loaded_models(definitions)
        write_status_page(definitions, [name for name in chosen if name in known], html)
    say_facts(found, "\n".join(one.said for one in found), as_json=as_json)
    return exit_code(definitions, models, good=all(one.good for one in found))


def write_status_page(definitions: dg.Definitions, models: Sequence[str], file: Path) -> None:
    """Write the page of these models; `StateError` where the file cannot be written."""
    from mlops_assets.status.writing import Stores, write_page

    chosen = [loaded_models(definitions)[model] for model in models]
    roles = ("deployment", "ledger", "decisions")
    with dg.DagsterInstance.get() as instance, open_resources(definitions, *roles) as built:
        write_page(chosen, Stores(instance, built.deployment, built.ledger, built.decisions), file)


def stop(models: Sequence[str], *, as_json: bool = False) -> int:
    """End the processes of endpoints, of whatever model the state holds one; their state stays."""
    definitions = load_definitions()
    found: list[StoppedEndpoint] = []
    with open_resources(definitions, "deployment") as built:
        held = held_models()
        chosen = chosen_models(definitions, models, held)
        end = partial(_stop, built.deployment, found)
        ended = [survived(model, partial(end, model)) for model in chosen]
    left = "no endpoint answered; what was left of one is ended"
    told = [one for one in found if one.answered or one.model in {*models, *held}]
    lines = [
        f"{one.model}: {'stopped' if one.answered else left if one.model in held else _NEVER}"
        for one in told
    ]
    if lines or as_json:
        say_facts(found, "\n".join(lines), as_json=as_json)
    elif all(ended):
        say(_NEVER)
    return 0 if all(ended) else 1


def _stop(deployment: EndpointDeployer, found: list[StoppedEndpoint], model: str) -> None:
    answered = deployment.status(model) is not None
    deployment.stop(model)
    found.append(StoppedEndpoint(model=model, answered=answered))


def up(models: Sequence[str], *, as_json: bool = False) -> int:
    """Bring back the endpoints that were live, from their kept files; exit code 1 if one fails."""
    found = brought_up(models)
    failed = [one for one in found if one.error]
    if as_json:
        say_facts(found, "", as_json=True)
        return 1 if failed else 0
    if not found:
        say("nothing to bring up; one that was stopped comes back by its name: `mlops up MODEL`")
    return say_both([one.said for one in found if not one.error], [one.said for one in failed])


def brought_up(models: Sequence[str]) -> list[BroughtUp]:
    """Serve again what served before, side by side; needs no registry and no Dagster."""
    deployment = EndpointTargets(root=str(endpoints_root()))
    names = list(models) or deployment.names()
    with ThreadPoolExecutor(max(1, len(names))) as pool:
        return list(pool.map(partial(_brought_up, deployment), names))


def _brought_up(deployment: EndpointTargets, model: str) -> BroughtUp:
    try:
        endpoint = deployment.up(model)
    except MlopsError as err:
        return BroughtUp(model=model, error=str(err))
    return BroughtUp(model=model, version=endpoint.model_version, endpoint=endpoint.url)


def held_models() -> list[str]:
    """Every model of which the state has an endpoint's folder, whatever the YAML files say."""
    return sorted(path.name for path in endpoints_root().glob("*") if path.is_dir())


def undescribed(definitions: dg.Definitions, deployment: EndpointDeployer) -> dict[str, str]:
    """Models that serve without a sound YAML -> what to say of it."""
    faulty = {name for names in left_out(definitions) for name in names}
    strays = set(held_models()) - {*loaded_models(definitions)}
    return {
        name: "but its YAML has faults" if name in faulty else "but no YAML describes it"
        for name in strays
        if deployment.status(name) is not None
    }


def served(
    deployment: EndpointDeployer, ledger: PromotionLedger, model: str, strays: Mapping[str, str]
) -> ServedModel:
    """What a model's endpoint serves; `strays` as `undescribed` finds them."""
    found = deployment.status(model)
    line, good = status_line(deployment, ledger, model)
    if model in strays:
        line, good = f"{line}; serves, {strays[model]}: `mlops stop {model}`", False
    return ServedModel(
        model=model,
        version=found.model_version if found else None,
        endpoint=found.url if found else None,
        good=good,
        said=line,
    )


def status_line(
    deployment: EndpointDeployer, ledger: PromotionLedger, model: str
) -> tuple[str, bool]:
    """A line that says what a model's endpoint serves, and whether that is what it should."""
    found, head = deployment.status(model), ledger.head(model)
    if found is None:
        return f"{model}: -", False
    said = f"{model}: version {found.model_version} at {found.url}"
    if found.fallback:
        return f"{said}, which is not what is wanted: {found.fallback}", False
    if found.unlogged:
        return f"{said}, but predictions are not logged: {found.unlogged}", False
    if head is None or head.to_version == found.model_version:
        return said, True
    return f"{said}, but the champion is {head.to_version}; `mlops run {model}` serves it", False


def answers(
    deployment: EndpointDeployer, model: str, entities: Sequence[str], *, logged: bool = True
) -> tuple[list[str], list[str]]:
    """A line for each that was answered, and one for each that was refused; as `answered`."""
    return _lines(answered(deployment, model, entities, logged=logged))


def answered(
    deployment: EndpointDeployer, model: str, entities: Sequence[str], *, logged: bool = True
) -> list[Answered]:
    """Ask for entities; a model without one is not asked.

    Raises:
        DeploymentError: No endpoint answers, or it refuses all of them.
        ConfigError: An entity's id has another type than the model's, or the model has none.
    """
    endpoint = deployment.status(model)
    if endpoint is None:
        raise DeploymentError(f"no endpoint of {model!r} answers; run `mlops run {model}`")
    if endpoint.entity is None:
        raise ConfigError(
            f"{model} has no entity, so it cannot be asked by id; POST rows of features to "
            f"{endpoint.url}/predict_features"
        )
    asked = deployment.predict(model, ids(entities, endpoint.entity), logged=logged)
    return [
        Answered(
            model=model,
            version=endpoint.model_version,
            entity=answer.get(endpoint.entity.name),
            answer={name: value for name, value in answer.items() if name != "error"},
            error=answer["error"]["message"] if "error" in answer else "",
        )
        for answer in asked
    ]


def _lines(found: Sequence[Answered]) -> tuple[list[str], list[str]]:
    good = [_answered(one.model, one.answer, one.version) for one in found if not one.error]
    return good, [f"{one.model}: {one.error}" for one in found if one.error]


def answer_by_features(deployment: EndpointDeployer, endpoint: Endpoint) -> str:
    """A line that says what the endpoint answers of a row's features; nobody's request, not logged.

    Raises:
        DeploymentError: It does not answer, or it refuses.
    """
    model, version = endpoint.model_name, endpoint.model_version
    row = deployment.sample(model, version)
    (answer,) = deployment.predict_features(model, [row], logged=False)
    return _answered(model, answer, version)


def _answered(model: str, answer: Mapping[str, Any], version: int) -> str:
    values = ", ".join(f"{name}={value}" for name, value in answer.items())
    return f"{model}: {values}, version={version}"
