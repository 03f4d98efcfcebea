"""`deploy/trial` and `deploy/several-nodes`: what they add to `deploy/kubernetes` and keep."""

from typing import Any

import pytest
import yaml

from tests.kubernetes_api.objects import check_pod, check_schema
from tests.support.servers import ROOT

DEPLOY = ROOT / "deploy"
BASE, TRIAL, NODES = (DEPLOY / name for name in ("kubernetes", "trial", "several-nodes"))
PATCHED = yaml.safe_load((NODES / "kustomization.yaml").read_text(encoding="utf-8"))
POSTGRES = list(yaml.safe_load_all((TRIAL / "postgres.yaml").read_text(encoding="utf-8")))


def content(path: Any) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("folder", [TRIAL, NODES], ids=lambda one: one.name)
def test_an_overlay_is_of_the_one_base_and_names_what_is_there(folder: Any) -> None:
    kustomization, base = (
        content(folder / "kustomization.yaml"),
        content(BASE / "kustomization.yaml"),
    )
    assert kustomization["resources"][0] == "../kubernetes"
    assert kustomization["namespace"] == base["namespace"]
    for name in kustomization["resources"][1:]:
        assert (folder / name).is_file()
    known = {one["name"]: one for one in base["configMapGenerator"]}
    for generator in kustomization["configMapGenerator"]:
        assert generator["behavior"] == "merge"
        assert set(generator.get("files", [])) <= set(known[generator["name"]].get("files", []))
        assert all((folder / name).is_file() for name in generator.get("files", []))


def test_the_trial_has_the_database_that_the_settings_name() -> None:
    for one in POSTGRES:
        check_schema(one)
    (deployment,) = (one for one in POSTGRES if one["kind"] == "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    check_pod(spec)
    (container,) = spec["containers"]
    settings = dict(
        literal.split("=", 1)
        for generator in content(BASE / "kustomization.yaml")["configMapGenerator"]
        for literal in generator.get("literals", [])
    )
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["POSTGRES_USER"] == settings["DAGSTER_PG_USER"]
    assert variables["POSTGRES_DB"] == settings["DAGSTER_PG_DB"]
    (service,) = (one for one in POSTGRES if one["kind"] == "Service")
    assert service["metadata"]["name"] == settings["DAGSTER_PG_HOST"]
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]
    (password,) = (one for one in container["env"] if one["name"] == "POSTGRES_PASSWORD")
    secret = content(BASE / "secret.example.yaml")
    wanted = password["valueFrom"]["secretKeyRef"]
    assert wanted["name"] == secret["metadata"]["name"]
    assert wanted["key"] in secret["stringData"]


def test_the_trials_database_passes_the_restricted_profile() -> None:
    (deployment,) = (one for one in POSTGRES if one["kind"] == "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_on_several_nodes_nothing_is_held_beside_the_claim() -> None:
    """All else is the base's, word for word."""
    base, found = content(BASE / "dagster.yaml"), content(NODES / "dagster.yaml")
    pods = base["run_launcher"]["config"]["run_k8s_config"]["pod_spec_config"]
    assert pods.pop("affinity")
    assert found == base
    claim, deployments = (yaml.safe_load(one["patch"]) for one in PATCHED["patches"])
    assert claim == [{"op": "replace", "path": "/spec/accessModes", "value": ["ReadWriteMany"]}]
    assert deployments == [{"op": "remove", "path": "/spec/template/spec/affinity"}]


def test_the_password_of_the_example_is_no_password() -> None:
    """Nobody runs with a secret that stands in the repository."""
    shipped = [*BASE.glob("*.yaml"), *TRIAL.glob("*.yaml"), *NODES.glob("*.yaml")]
    secrets = [
        one
        for path in shipped
        for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if one.get("kind") == "Secret" or "secretGenerator" in one
    ]
    assert [one["stringData"]["DAGSTER_PG_PASSWORD"] for one in secrets] == ["CHANGE-ME"]
