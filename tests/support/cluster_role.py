"""The permissions that are shipped, to hold what the code asks for against them."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from tests.kubernetes_api.server import Asked

ROLE = Path(__file__).resolve().parents[2] / "deploy/kubernetes/endpoints-role.yaml"


def allowed_by(role: Path) -> set[Asked]:
    """Every request that a Role allows."""
    rules = yaml.safe_load(role.read_text(encoding="utf-8"))["rules"]
    return {
        Asked(verb, group, resource)
        for rule in rules
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def forbidden(asked: Iterable[Asked], *roles: Path) -> list[Asked]:
    """What of the requests made none of the Roles allows."""
    return sorted(set(asked).difference(*map(allowed_by, roles)))
