"""What every verb needs: the definitions, the models chosen, the resources, and a voice."""

import sys
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import dagster as dg
from pydantic import ValidationError

from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.errors import ConfigError
from mlops_assets.keys import DEPLOYMENT_SETTINGS, asset_key
from resources.deployment import EndpointDeployer
from resources.promotions import Promotions


def load_definitions() -> dg.Definitions:
    """Load every model.

    Raises:
        ConfigError: A YAML is not valid.
    """
    from mlops_assets.definitions import defs  # loads every model; `mlops --help` need not

    try:
        return defs()
    except Exception as err:  # Dagster wraps it in several layers; only the YAML's fault is ours
        cause: BaseException | None = err
        while cause and not isinstance(cause, ValidationError):
            cause = cause.__cause__
        if cause is None:
            raise
        raise ConfigError(str(cause)) from err


def chosen_models(definitions: dg.Definitions, models: Sequence[str]) -> list[str]:
    """The models named, or all.

    Raises:
        ConfigError: There is no such model.
    """
    known = sorted({str(spec.group_name) for spec in definitions.resolve_all_asset_specs()})
    if unknown := sorted(set(models) - set(known)):
        raise ConfigError(f"no model {unknown}; there are {known}")
    return list(models) or known


def open_resources(
    definitions: dg.Definitions, *roles: str, instance: dg.DagsterInstance | None = None
) -> AbstractContextManager[Any]:
    """The resources of these roles, set up as for a run; an attribute each."""
    resources = definitions.resources or {}
    return dg.build_resources({role: resources[role] for role in roles}, instance)


@contextmanager
def open_deployment(definitions: dg.Definitions) -> Generator[EndpointDeployer]:
    """The deployer of this environment."""
    with open_resources(definitions, "deployment") as built:
        yield built.deployment


@contextmanager
def open_promotions(definitions: dg.Definitions, model: str) -> Generator[Promotions]:
    """The champion of one model, with what can move it."""
    chosen_models(definitions, [model])
    (spec,) = (
        spec
        for spec in definitions.resolve_all_asset_specs()
        if spec.key == asset_key(model, "deployed_endpoint")
    )
    settings = DeploymentSettings.model_validate(spec.metadata[DEPLOYMENT_SETTINGS])
    with open_resources(definitions, "tracking", "ledger", "deployment") as built:
        yield Promotions(model, settings, built.tracking, built.ledger, built.deployment)


def say(text: str, *, error: bool = False) -> None:
    """Print a line at once; the one place where the command line speaks."""
    print(text, file=sys.stderr if error else sys.stdout, flush=True)
