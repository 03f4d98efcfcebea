"""The verbs `api-key`, `dev`, `env` and `bento`, for whoever operates the system."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.cli.context import chosen_models, load_definitions, open_resources, say
from mlops_assets.home import home
from mlops_assets.interfaces.dev import serve_user_interfaces
from resources.endpoints.api_keys import digest, new_key

if TYPE_CHECKING:
    from mlops_assets.cli.context import Verbs


def add_verbs(verbs: "Verbs") -> None:
    """Declare the four verbs."""
    verb = verbs.add_parser(
        "api-key", help="make an API key: print it once, and the digest to deploy"
    )
    verb.set_defaults(run=api_key)
    verb = verbs.add_parser("dev", help="Dagster UI, daemon and MLflow UI until Ctrl-C")
    verb.set_defaults(run=dev)
    verb = verbs.add_parser("env", help="shell exports for plain dagster commands")
    verb.set_defaults(run=env)
    verb = verbs.add_parser("bento", help="build a Bento of the deployed version, offline")
    verb.add_argument("model")
    verb.add_argument(
        "--out",
        type=lambda text: Path(text).absolute(),
        metavar="DIR",
        help="BENTOML_HOME that gets it",
    )
    verb.set_defaults(run=bento)


def api_key() -> int:
    """Print a new key and its digest; neither is kept."""
    key = new_key()
    say(f"key     {key}    for the client, as `X-API-Key: ...` or `Authorization: Bearer ...`")
    say(f"digest  {digest(key)}    for the variable of deployment.api_keys.env")
    return 0


def dev() -> int:
    """Serve the user interfaces until Ctrl-C."""
    return serve_user_interfaces(home())


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
