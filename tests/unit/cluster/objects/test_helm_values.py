"""`deploy/helm/values.yaml`: keys that the chart has, and what the manifests say.

The chart is in no registry, so nothing is rendered here; its keys are those of its own schema, read
in November 2026.
"""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[4]


def content(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / "deploy" / name).read_text(encoding="utf-8"))


VALUES = content("helm/values.yaml")
DAGSTER = content("kubernetes/dagster.yaml")
SETTINGS = dict(
    literal.split("=", 1)
    for generator in content("kubernetes/kustomization.yaml")["configMapGenerator"]
    for literal in generator.get("literals", [])
)
(CODE,) = VALUES["dagster-user-deployments"]["deployments"]
PODS = {
    "code": CODE,
    "webserver": VALUES["dagsterWebserver"],
    "daemon": VALUES["dagsterDaemon"],
}
POD_KEYS = {
    *(
        "image",
        "env",
        "envConfigMaps",
        "envSecrets",
        "labels",
        "nodeSelector",
        "affinity",
        "volumes",
    ),
    *("podSecurityContext", "securityContext", "resources", "annotations", "volumeMounts"),
    *("tolerations", "livenessProbe", "readinessProbe", "startupProbe", "schedulerName"),
}
KEYS = {
    "": {
        *("global", "dagsterWebserver", "dagster-user-deployments", "postgresql", "runLauncher"),
        *("generatePostgresqlPasswordSecret", "rbacEnabled", "serviceAccount", "dagsterDaemon"),
        *("retention", "concurrency", "telemetry", "imagePullSecrets", "computeLogManager"),
    },
    "global": {
        *("fullnameOverride", "dagsterHome", "postgresqlSecretName", "serviceAccountName"),
    },
    "dagster-user-deployments": {
        *("serviceAccount", "deployments", "imagePullSecrets", "enabled", "rbacEnabled"),
    },
    "dagsterWebserver": POD_KEYS | {"service", "replicaCount", "pathPrefix", "workspace"},
    "dagsterDaemon": POD_KEYS | {"runMonitoring", "runCoordinator", "runRetries", "sensors"},
    "postgresql": {
        *("enabled", "postgresqlScheme", "postgresqlHost", "postgresqlUsername", "service"),
        *("postgresqlPassword", "postgresqlDatabase", "postgresqlParams", "image"),
    },
}
CODE_KEYS = POD_KEYS | {
    *("name", "port", "dagsterApiGrpcArgs", "includeConfigInLaunchedRuns", "serviceAccount"),
}


def test_the_chart_has_every_key() -> None:
    for name, known in KEYS.items():
        assert set(VALUES[name] if name else VALUES) <= known, name
    assert set(CODE) <= CODE_KEYS


def test_the_chart_and_its_subchart_give_no_account_more_than_the_roles() -> None:
    """Each has a switch of its own; what it gives, it gives the daemon's account."""
    assert VALUES["rbacEnabled"] is False
    assert VALUES["dagster-user-deployments"]["rbacEnabled"] is False


def test_the_webserver_is_asked_where_it_listens() -> None:
    """The chart's own probe asks port 80 whatever the Service's port is."""
    webserver = VALUES["dagsterWebserver"]
    assert webserver["readinessProbe"]["httpGet"]["port"] == webserver["service"]["port"]


def test_the_launcher_is_that_of_the_manifests() -> None:
    """But for the names of the chart's own ConfigMaps."""
    assert VALUES["runLauncher"]["type"] == "CustomRunLauncher"
    launcher = VALUES["runLauncher"]["config"]["customRunLauncher"]
    expected, found = DAGSTER["run_launcher"], launcher["config"]
    assert {name: launcher[name] for name in ("module", "class")} == {
        name: expected[name] for name in ("module", "class")
    }
    config = dict(expected["config"]) | {"instance_config_map": "mlops-instance"}
    assert config.pop("env_config_maps") == ["mlops-settings"]
    instance = {"name": "dagster", "configMap": {"name": "mlops-instance"}}
    config["volumes"] = [*expected["config"]["volumes"][:-1], instance]
    config["env_vars"] = [one["name"] for one in VALUES["dagsterDaemon"]["env"]]
    assert found == config


def test_dagster_itself_takes_the_launcher_and_the_coordinator() -> None:
    import dagster as dg

    from resources.cluster.runs.launcher import ClusterRunLauncher
    from resources.dagster.run_users import AttributedRunCoordinator

    coordinator = VALUES["dagsterDaemon"]["runCoordinator"]
    assert coordinator["type"] == "CustomRunCoordinator"
    custom = coordinator["config"]["customRunCoordinator"]
    assert (custom["module"], custom["class"]) == (
        AttributedRunCoordinator.__module__,
        AttributedRunCoordinator.__name__,
    )
    config = VALUES["runLauncher"]["config"]["customRunLauncher"]["config"]
    process = dg.Shape(ClusterRunLauncher.config_type())
    assert dg.Field(process).config_type is not None
    assert set(config) <= set(ClusterRunLauncher.config_type())


def test_every_process_is_of_our_image_with_our_settings() -> None:
    """The launcher and the coordinator are ours, and each of the three asks them."""
    secrets = DAGSTER["run_launcher"]["config"]["env_secrets"]
    for name, pod in PODS.items():
        image = pod["image"]
        assert f"{image['repository']}:{image['tag']}" == SETTINGS["MLOPS_IMAGE"], name
        assert {one["name"]: one["value"] for one in pod["env"]}.items() <= SETTINGS.items(), name
        assert [one["name"] for one in pod["envSecrets"]] == secrets, name
    assert VALUES["global"]["dagsterHome"] == DAGSTER["run_launcher"]["config"]["dagster_home"]


def test_every_pod_passes_the_restricted_profile_and_is_beside_the_claim() -> None:
    """But for the service links, which the chart cannot switch off."""
    (shipped,) = yaml.safe_load_all((ROOT / "deploy/kubernetes/daemon.yaml").read_text("utf-8"))
    template = shipped["spec"]["template"]
    for name, pod in PODS.items():
        (container,) = template["spec"]["containers"]
        security = container["securityContext"].items()
        assert pod["securityContext"].items() <= security, name
        assert pod["podSecurityContext"].items() <= template["spec"]["securityContext"].items()
        assert pod["podSecurityContext"]["runAsNonRoot"] is True
        assert pod["podSecurityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["affinity"] == template["spec"]["affinity"], name
        assert pod["labels"].items() <= template["metadata"]["labels"].items(), name


def test_the_instance_is_that_of_the_manifests() -> None:
    kept = {
        one: {"purge_after_days": VALUES["retention"][one]["purgeAfterDays"]}
        for one in ("sensor", "schedule")
    }
    assert kept == DAGSTER["retention"]
    assert VALUES["retention"]["enabled"]
    monitoring = DAGSTER["run_monitoring"]
    assert VALUES["dagsterDaemon"]["runMonitoring"] == {
        "enabled": True,
        "startTimeoutSeconds": monitoring["start_timeout_seconds"],
        "maxResumeRunAttempts": monitoring["max_resume_run_attempts"],
        "pollIntervalSeconds": monitoring["poll_interval_seconds"],
        "maxRuntimeSeconds": monitoring["max_runtime_seconds"],
    }
    retries = VALUES["dagsterDaemon"]["runRetries"]
    assert {"enabled": True, "max_retries": retries["maxRetries"]} == DAGSTER["run_retries"]
    pools = VALUES["concurrency"]["pools"]
    kept = {"granularity": pools["granularity"], "default_limit": pools["defaultLimit"]}
    assert {"pools": kept} == DAGSTER["concurrency"]
    postgres = DAGSTER["storage"]["postgres"]["postgres_db"]
    assert VALUES["postgresql"]["postgresqlScheme"] == postgres["scheme"]
