"""The permissions that are shipped, to hold what the code asks for against them."""

from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes_api.server import Asked

FOLDER = Path(__file__).resolve().parents[3] / "deploy/kubernetes"
ENDPOINTS = FOLDER / "endpoints-role.yaml"


def allowed_by(*roles: dict[str, Any]) -> set[Asked]:
    """Every request that Roles allow."""
    return {
        Asked(verb, group, resource)
        for role in roles
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def shipped_roles() -> dict[str, set[Asked]]:
    """What each Role allows."""
    return {name: allowed_by(role) for name, role in _named("Role").items()}


def shipped_accounts() -> dict[str, set[Asked]]:
    """What each account may do, by the Roles that are bound to it."""
    roles = shipped_roles()
    accounts: dict[str, set[Asked]] = {name: set() for name in _named("ServiceAccount")}
    for binding in _named("RoleBinding").values():
        for subject in binding["subjects"]:
            accounts[subject["name"]] |= roles[binding["roleRef"]["name"]]
    return accounts


def shipped_admission() -> list[dict[str, Any]]:
    """Who may mount which Secret, as a policy says."""
    return list(yaml.safe_load_all((FOLDER / "admission.yaml").read_text(encoding="utf-8")))


def _named(kind: str) -> dict[str, dict[str, Any]]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))]
    found = [one for text in texts for one in yaml.safe_load_all(text)]
    return {one["metadata"]["name"]: one for one in found if one.get("kind") == kind}
