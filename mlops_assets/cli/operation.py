"""The verbs `api-key`, `dev`, `env` and `bento`, for whoever operates the system."""

import os
import shlex
from pathlib import Path

from mlops_assets.cli.context import (
    chosen_models,
    load_definitions,
    open_resources,
    say,
)
from mlops_assets.home import endpoints_root, home
from mlops_assets.interfaces.dev import serve_user_interfaces
from mlops_assets.interfaces.observe import run_prometheus
from resources.endpoints.api_keys import digest, new_key


def api_key() -> int:
    """Print a new key and its digest; neither is kept."""
    key = new_key()
    say(f"key     {key}    for the client, as `X-API-Key: ...` or `Authorization: Bearer ...`")
    say(f"digest  {digest(key)}    for the variable of deployment.api_keys.env")
    return 0


def dev() -> int:
    """Serve the user interfaces until Ctrl-C."""
    return serve_user_interfaces(home())


def observe() -> int:
    """Run Prometheus over the endpoints until Ctrl-C."""
    from resources.deployment import EndpointTargets

    return run_prometheus(EndpointTargets(root=str(endpoints_root())), home() / "prometheus")


def env() -> int:
    """Print `export` lines; use as `eval "$(mlops env)"`."""
    for name in ("MLOPS_PROJECT", "MLOPS_HOME", "DAGSTER_HOME"):
        say(f"export {name}={shlex.quote(os.environ[name])}")
    return 0


def bento(model: str, out: Path | None) -> int:
    """Build a Bento of what is deployed, and print its folder."""
    definitions = load_definitions()
    chosen_models(definitions, [model])
    with open_resources(definitions, "bentos") as built:
        say(f"{model}: {built.bentos.build(model, out)}")
    return 0
