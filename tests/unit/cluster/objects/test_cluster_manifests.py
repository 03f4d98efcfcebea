"""`deploy/kubernetes`: valid, and consistent with itself and the code."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from resources.cluster.placement import place
from tests.kubernetes_api.objects import check_pod, check_schema
from tests.support.cluster.cluster_role import shipped_accounts, shipped_roles

ROOT = Path(__file__).resolve().parents[4]
FOLDER = ROOT / "deploy/kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
DAGSTER = yaml.safe_load((FOLDER / "dagster.yaml").read_text(encoding="utf-8"))
LAUNCHER = DAGSTER["run_launcher"]["config"]


def documents(*names: str) -> list[dict[str, Any]]:
    texts = [(FOLDER / name).read_text(encoding="utf-8") for name in names]
    return [one for text in texts for one in yaml.safe_load_all(text)]


SHIPPED = documents(*KUSTOMIZATION["resources"])
DEPLOYMENTS = [one for one in SHIPPED if one["kind"] == "Deployment"]
SETTINGS = {
    literal.split("=", 1)[0]: literal.split("=", 1)[1]
    for generator in KUSTOMIZATION["configMapGenerator"]
    for literal in generator.get("literals", [])
}


def names(kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in SHIPPED if one["kind"] == kind}


def config_maps() -> dict[str, list[str]]:
    return {one["name"]: one.get("files", []) for one in KUSTOMIZATION["configMapGenerator"]}


def test_every_manifest_is_valid_and_listed() -> None:
    for one in [*SHIPPED, *documents("secret.example.yaml")]:
        check_schema(one)
    files = {path.name for path in FOLDER.glob("*.yaml")}
    others = {"kustomization.yaml", "dagster.yaml", "workspace.yaml", "secret.example.yaml"}
    assert files - others == set(KUSTOMIZATION["resources"])


@pytest.mark.parametrize("one", DEPLOYMENTS, ids=lambda one: one["metadata"]["name"])
def test_what_a_deployment_names_is_there(one: dict[str, Any]) -> None:
    spec = one["spec"]["template"]["spec"]
    check_pod(spec)
    assert spec["serviceAccountName"] in names("ServiceAccount")
    (secret,) = documents("secret.example.yaml")
    (container,) = spec["containers"]
    for source in container["envFrom"]:
        for kind, known in (("configMapRef", config_maps()), ("secretRef", _names([secret]))):
            assert source.get(kind, {}).get("name") in {None, *known}
    _require_volumes(spec["volumes"], container["volumeMounts"])
    security = spec["securityContext"]
    assert (security["runAsNonRoot"], security["runAsUser"]) == (True, 10001)


def _names(objects: list[dict[str, Any]]) -> list[str]:
    return [one["metadata"]["name"] for one in objects]


def _require_volumes(volumes: list[dict], mounts: list[dict]) -> None:
    maps = config_maps()
    for volume in volumes:
        claim = volume.get("persistentVolumeClaim", {}).get("claimName")
        assert claim in {None, *names("PersistentVolumeClaim")}
        assert volume.get("configMap", {}).get("name") in {None, *maps}
    for mount in mounts:
        volume = next(one for one in volumes if one["name"] == mount["name"])
        if "configMap" in volume:
            assert mount["subPath"] in maps[volume["configMap"]["name"]]


def test_services_reach_their_pods() -> None:
    pods = {one["metadata"]["name"]: one["spec"]["template"] for one in DEPLOYMENTS}
    for service in (one for one in SHIPPED if one["kind"] == "Service"):
        template = pods[service["metadata"]["name"]]
        assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        (port,) = service["spec"]["ports"]
        (listens,) = template["spec"]["containers"][0]["ports"]
        assert port["targetPort"] == listens["containerPort"]
    workspace = yaml.safe_load((FOLDER / "workspace.yaml").read_text(encoding="utf-8"))
    (location,) = (one["grpc_server"] for one in workspace["load_from"])
    assert location["host"] in names("Service")
    local = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    assert location["location_name"] in str(local)


def test_runs_get_what_dagsters_own_pods_get() -> None:
    (claim,) = names("PersistentVolumeClaim")
    assert LAUNCHER["service_account_name"] in names("ServiceAccount")
    assert LAUNCHER["job_namespace"] == KUSTOMIZATION["namespace"]
    assert {*LAUNCHER["env_config_maps"], LAUNCHER["instance_config_map"]} == set(config_maps())
    _require_volumes(LAUNCHER["volumes"], LAUNCHER["volume_mounts"])
    assert claim in str(LAUNCHER["volumes"])
    mounted = {one["mountPath"] for one in LAUNCHER["volume_mounts"]}
    for one in DEPLOYMENTS:
        (container,) = one["spec"]["template"]["spec"]["containers"]
        assert mounted <= {mount["mountPath"] for mount in container["volumeMounts"]}


def test_every_variable_of_the_instance_is_set() -> None:
    (secret,) = documents("secret.example.yaml")
    wanted = set(_variables(DAGSTER))
    assert wanted <= {*SETTINGS, *secret["stringData"]}
    assert "DAGSTER_PG_PASSWORD" in wanted


def _variables(value: Any) -> list[str]:
    if isinstance(value, dict):
        if set(value) == {"env"}:
            return [value["env"]]
        return [name for part in value.values() for name in _variables(part)]
    parts = value if isinstance(value, list) else []
    return [name for part in parts for name in _variables(part)]


def test_nobody_reaches_dagsters_pods_but_who_asks_the_code_server() -> None:
    policies = {
        one["metadata"]["name"]: one["spec"] for one in SHIPPED if one["kind"] == "NetworkPolicy"
    }
    closed = {name for name, policy in policies.items() if "ingress" not in policy}
    assert closed == {"mlops-dagster", "mlops-runs"}
    (own,) = policies["mlops-dagster"]["podSelector"]["matchExpressions"]
    assert set(own["values"]) == {one["metadata"]["name"] for one in DEPLOYMENTS}
    (rule,) = policies["mlops-code"]["ingress"]
    (asks,) = rule["from"]
    assert asks["podSelector"]["matchExpressions"] == [own]
    assert rule["ports"] == [{"protocol": "TCP", "port": 4000}]


def test_an_image_that_was_loaded_into_the_nodes_is_not_asked_for_elsewhere() -> None:
    """As kind, minikube and k3s take it; the default for the tag `latest` is Always."""
    pulls = {
        one["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] for one in DEPLOYMENTS
    }
    assert pulls == {LAUNCHER["image_pull_policy"]} == {"IfNotPresent"}


def containers() -> dict[str, dict[str, Any]]:
    """Security and mounts of every container of Dagster's."""
    found = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in DEPLOYMENTS}
    made = {
        name: spec["containers"][0] | {"volumes": spec["volumes"]} for name, spec in found.items()
    }
    run = {
        "securityContext": LAUNCHER["security_context"],
        "volumeMounts": LAUNCHER["volume_mounts"],
    }
    return made | {"run": run | {"volumes": LAUNCHER["volumes"]}}


@pytest.mark.parametrize("name", sorted(containers()))
def test_what_is_written_is_a_volume(name: str) -> None:
    """The image's user may write these folders and no other; Dagster writes to its home too."""
    container = containers()[name]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    own = {one["name"] for one in container["volumes"] if "emptyDir" in one}
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    written = {path for path, volume in mounts.items() if volume in own}
    assert written == {"/tmp", LAUNCHER["dagster_home"]}
    assert SETTINGS["HOME"] in written
    paths = list(mounts)
    assert paths.index(LAUNCHER["dagster_home"]) < paths.index("/opt/dagster/dagster.yaml")


def test_bindings_name_roles_and_accounts_that_are_there() -> None:
    bindings = [one for one in SHIPPED if one["kind"] == "RoleBinding"]
    assert {one["roleRef"]["name"] for one in bindings} == names("Role")
    subjects = {subject["name"] for one in bindings for subject in one["subjects"]}
    assert subjects == names("ServiceAccount") - {"mlops-code"}


@pytest.mark.parametrize("role", sorted(shipped_roles()))
def test_no_role_allows_everything_or_reads_secrets(role: str) -> None:
    asked = shipped_roles()[role]
    assert not any("*" in (one.verb, one.group, one.resource) for one in asked)
    assert not any(one.resource == "secrets" for one in asked)


def test_whoever_answers_people_starts_nothing() -> None:
    """Whoever makes pods has what they are given, whatever the policy of admission.yaml refuses."""
    accounts = shipped_accounts()
    starts = {name for name, may in accounts.items() if {one.verb for one in may} & {"create"}}
    assert starts == {"mlops-daemon", "mlops-run"}
    assert accounts["mlops-code"] == set()
    used = {one["spec"]["template"]["spec"]["serviceAccountName"] for one in DEPLOYMENTS}
    assert used == {"mlops-code", "mlops-webserver", "mlops-daemon"}


def test_dagster_itself_builds_the_launcher_of_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster's own reading of the file, with a kubeconfig in place of the pod's account."""
    from resources.cluster.runs.launcher import ClusterRunLauncher
    from tests.kubernetes_api.cluster import write_kubeconfig
    from tests.support.runs.dagster_internals import InstanceRef

    for name, value in {**SETTINGS, "DAGSTER_PG_PASSWORD": "x", "MLOPS_IMAGE": "mlops:7"}.items():
        monkeypatch.setenv(name, value)
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig.yaml", "http://127.0.0.1:1")
    launcher = LAUNCHER | {"load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
    content = DAGSTER | {"run_launcher": DAGSTER["run_launcher"] | {"config": launcher}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    reference = InstanceRef.from_dir(str(tmp_path))
    built = reference.run_launcher

    assert isinstance(built, ClusterRunLauncher)
    assert (built.job_image, built.service_account_name) == ("mlops:7", "mlops-run")
    assert "postgresql+psycopg2" in str(reference.storage_data)


def test_the_cluster_keeps_what_the_laptop_keeps() -> None:
    """Rules of the one instance file that must hold in the other."""
    local = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    for name in ("concurrency", "run_coordinator", "retention", "telemetry", "nux"):
        assert DAGSTER[name] == local[name]


def pod_specs() -> dict[str, dict[str, Any]]:
    """Of every pod that is made from what is shipped, labels beside the rest."""
    own = {one["metadata"]["name"]: one["spec"]["template"] for one in DEPLOYMENTS}
    specs = {name: template["spec"] | template["metadata"] for name, template in own.items()}
    run = LAUNCHER["run_k8s_config"]
    camel = json.loads(re.sub(r'_([a-z])(?=\w*":)', lambda m: m[1].upper(), json.dumps(run)))
    specs["run"] = camel["podSpecConfig"] | camel["podTemplateSpecMetadata"]
    return specs


def test_no_services_address_becomes_a_setting() -> None:
    """A Service `customers` makes CUSTOMERS_PORT in every later pod that wants service links."""
    assert {name: one.get("enableServiceLinks") for name, one in pod_specs().items()} == (
        dict.fromkeys(pod_specs(), False)
    )
    read = set()
    for file in sorted((ROOT / "mlops_assets/defs").glob("*/defs.yaml")):
        read |= set(re.findall(r"env\('(\w+)'", file.read_text(encoding="utf-8")))
    assert "MLOPS_PORT_CUSTOMERS" in read
    told = (ROOT / "docs/reference/environment.md", ROOT / "mlops_assets/home.py")
    read |= set(re.findall(r"MLOPS_\w+", "".join(one.read_text("utf-8") for one in told)))
    assert "MLOPS_PORT_DAGSTER" in read
    assert not [name for name in read if re.search(r"_(PORT|HOST|TCP|UDP)$|_SERVICE_", name)]


def test_whatever_mounts_the_claim_is_on_one_node() -> None:
    """Labels and affinity are those of the endpoints' pods."""
    label = {"mlops-assets/claim": "mlops-state"}
    beside = place({}, "mlops-state", one_node=True)["affinity"]
    for name, one in pod_specs().items():
        assert one["labels"].items() >= label.items(), name
        assert one["affinity"] == beside, name
    (claim,) = (one for one in SHIPPED if one["kind"] == "PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


def test_every_address_of_postgres_names_the_driver_that_the_image_has() -> None:
    assert DAGSTER["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"
    texts = [
        *FOLDER.glob("*.yaml"),
        ROOT / "docs/how-to/kubernetes.md",
        ROOT / "docs/reference/environment.md",
    ]
    for path in texts:
        for line in path.read_text(encoding="utf-8").splitlines():
            of_libpq = line.startswith("| `MLOPS_ENGINE` |")  # psycopg2's own: it has no driver
            assert of_libpq or "postgresql://" not in line, (path, line)
