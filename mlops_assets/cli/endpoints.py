"""The verbs `api-key` and `bento`: what they take and say."""

from pathlib import Path
from typing import TYPE_CHECKING

from resources.api_keys import digest, new_key
from resources.bento import BentoBuilder

if TYPE_CHECKING:
    import argparse
    from argparse import _SubParsersAction


def add_endpoint_verbs(verbs: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the two verbs."""
    verbs.add_parser("api-key", help="make an API key: print it once, and the digest to deploy")
    verb = verbs.add_parser("bento", help="build a Bento of the deployed version, offline")
    verb.add_argument("model")
    verb.add_argument("--out", type=Path, metavar="DIR", help="BENTOML_HOME that gets it")


def said_api_key() -> str:
    """A new key and its digest; neither is kept."""
    key = new_key()
    return (
        f"key     {key}    for the client, as `X-API-Key: ...` or `Authorization: Bearer ...`\n"
        f"digest  {digest(key)}    for the variable that deployment.api_keys.env names"
    )


def said_bento(bentos: BentoBuilder, model: str, out: Path | None) -> str:
    """Where the Bento lies, and how to serve it."""
    folder = bentos.build(model, out)
    home = folder.parents[2]
    serve = f"BENTOML_HOME={home} bentoml serve {model}:{folder.name}"
    return f"{model}: {folder}\nserve it by `{serve}`"
