"""What the YAML grants an asset's pod reaches the executor, however the run is launched."""

from typing import Any

import pytest

from jobs.promotion import build_promotion_jobs
from mlops_assets.assets.deployment import build_deployment_assets
from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.components.settings import loaded_models
from mlops_assets.config import ModelSettings
from mlops_assets.definitions import chosen_executor
from mlops_assets.errors import ConfigError
from resources.dagster.executors import pods_of_steps

COMPUTE = {
    "trained_model": {"cpu": "4", "memory": "8Gi", "gpu": 1, "node_selector": {"pool": "gpu"}},
    "features": {"memory": "4Gi"},
}


def test_each_asset_gets_what_the_yaml_says(loans: dict[str, Any]) -> None:
    settings = ModelSettings.model_validate(loans | {"compute": COMPUTE})
    pods = pods_of_steps(loaded_models(build_model_defs(settings)).values())

    assert set(pods) == {"loans__trained_model", "loans__features"}
    assert pods["loans__trained_model"]["container_config"]["resources"] == {
        "requests": {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "1"},
        "limits": {"memory": "8Gi", "nvidia.com/gpu": "1"},
    }
    assert pods["loans__trained_model"]["pod_spec_config"] == {"node_selector": {"pool": "gpu"}}


def test_the_executor_of_a_cluster_takes_it(
    loans: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_k8s.job import UserDefinedDagsterK8sConfig

    monkeypatch.setenv("MLOPS_EXECUTOR", "k8s")
    models = build_model_defs(ModelSettings.model_validate(loans | {"compute": COMPUTE}))
    executor = chosen_executor(models)
    assert executor.name == "k8s"
    configured = pods_of_steps(loaded_models(models).values())
    assert configured
    for pod in configured.values():
        UserDefinedDagsterK8sConfig.from_dict(pod)


@pytest.mark.parametrize(
    "step", ["loans__deployed_endpoint", "loans_roll_back", "loans_promote", "loans_restore"]
)
def test_who_moves_an_endpoint_has_the_time_to_put_it_back(
    loans: dict[str, Any], step: str
) -> None:
    cluster = {"image": "a", "claim": "b", "start_timeout": "10min"}
    deployment = {"target": "kubernetes", "port": 8101, "cluster": cluster}
    settings = ModelSettings.model_validate(loans | {"deployment": deployment, "compute": COMPUTE})
    models = build_model_defs(settings)
    pods = pods_of_steps(loaded_models(models).values())
    assert pods[step]["pod_spec_config"] == {"termination_grace_period_seconds": 660}
    moved = {node.name for job in build_promotion_jobs(settings) for node in job.nodes}
    assert step in moved | {one.node_def.name for one in build_deployment_assets(settings)}


def test_an_asset_that_is_not_there_is_refused(loans: dict[str, Any]) -> None:
    settings = ModelSettings.model_validate(loans | {"compute": {"training": {"cpu": "1"}}})
    with pytest.raises(ConfigError, match=r"compute of loans: \['training'\] not among.*trained"):
        build_model_defs(settings)
