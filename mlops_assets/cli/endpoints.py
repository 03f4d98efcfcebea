"""The verbs `predict`, `status`, `stop` and `up`, of endpoints that live already."""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.cli.context import (
    chosen_models,
    exit_code,
    load_definitions,
    open_resources,
    say,
    say_both,
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


def predict(model: str, entities: Sequence[str]) -> int:
    """Print one line per entity; exit code 1 when one is refused."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "deployment") as built:
        good, bad = answers(built.deployment, model, entities)
    return say_both(good, bad)


def status(models: Sequence[str], html: Path | None) -> int:
    """Print what each endpoint serves; exit code 1 unless that is its champion, by a sound YAML."""
    definitions = load_definitions()
    good = True
    with open_resources(definitions, "deployment", "ledger") as built:
        strays = undescribed(definitions, built.deployment)
        if html is not None:
            known = loaded_models(definitions)
            shown = [name for name in chosen_models(definitions, models, strays) if name in known]
            write_status_page(definitions, shown, html)
        for model in chosen_models(definitions, models, strays):
            line, serves = status_line(built.deployment, built.ledger, model)
            if model in strays:
                line, serves = f"{line}; serves, {strays[model]}: `mlops stop {model}`", False
            good &= serves
            say(line)
    return exit_code(definitions, models, good=good)


def write_status_page(definitions: dg.Definitions, models: Sequence[str], file: Path) -> None:
    """Write the page of these models; `StateError` where the file cannot be written."""
    from mlops_assets.status.writing import Stores, write_page

    chosen = [loaded_models(definitions)[model] for model in models]
    roles = ("deployment", "ledger", "decisions")
    with dg.DagsterInstance.get() as instance, open_resources(definitions, *roles) as built:
        write_page(chosen, Stores(instance, built.deployment, built.ledger, built.decisions), file)


def stop(models: Sequence[str]) -> int:
    """End the processes of endpoints, of whatever model the state holds one; their state stays."""
    definitions = load_definitions()
    with open_resources(definitions, "deployment") as built:
        chosen = chosen_models(definitions, models, held_models())
        ended = [survived(model, partial(built.deployment.stop, model)) for model in chosen]
    return 0 if all(ended) else 1


def up(models: Sequence[str]) -> int:
    """Bring back the endpoints that were live, from their kept files; exit code 1 if one fails."""
    good, bad = bring_up(models)
    if not good and not bad:
        say("nothing to bring up; one that was stopped comes back by its name: `mlops up MODEL`")
    return say_both(good, bad)


def bring_up(models: Sequence[str]) -> tuple[list[str], list[str]]:
    """Serve again what served before, side by side; needs no registry and no Dagster.

    Returns:
        A line for each endpoint that answers, and one for each that does not.
    """
    deployment = EndpointTargets(root=str(endpoints_root()))
    names = list(models) or deployment.names()
    good, bad = [], []
    with ThreadPoolExecutor(max(1, len(names))) as pool:
        for name, future in [(name, pool.submit(deployment.up, name)) for name in names]:
            try:
                endpoint = future.result()
                good.append(f"{name}: version {endpoint.model_version} at {endpoint.url}")
            except MlopsError as err:
                bad.append(f"{name}: {err}")
    return good, bad


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
    if head is None or head.to_version == found.model_version:
        return said, True
    return f"{said}, but the champion is {head.to_version}; `mlops run {model}` serves it", False


def answers(
    deployment: EndpointDeployer, model: str, entities: Sequence[str], *, logged: bool = True
) -> tuple[list[str], list[str]]:
    """Ask for entities; a model without one is not asked.

    Returns:
        A line for each that was answered, and one for each that was refused.

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
    good, bad = [], []
    for answer in deployment.predict(model, ids(entities, endpoint.entity), logged=logged):
        if "error" in answer:
            bad.append(f"{model}: {answer['error']['message']}")
            continue
        good.append(_answered(model, answer, endpoint.model_version))
    return good, bad


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


def ids(entities: Sequence[str], entity: EntitySettings) -> list[int | str]:
    """Entities as a request has them; `ConfigError` for what is no integer where all are."""
    if entity.dtype == "string":
        return list(entities)
    # `int` would take more: "1_000", " 7", digits of other scripts.
    if wrong := [text for text in entities if not re.fullmatch("-?[0-9]+", text)]:
        raise ConfigError(f"`{entity.name}` is an integer, which {wrong} are not; correct them")
    return [int(text) for text in entities]
