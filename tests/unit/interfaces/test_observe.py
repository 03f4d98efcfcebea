"""What `mlops observe` has Prometheus scrape: all that should be up, and nothing else."""

import json
from pathlib import Path

import pytest
import yaml

from mlops_assets.home import FRAMEWORK_ROOT
from mlops_assets.interfaces.observe import configuration, write_targets
from mlops_assets.records.files import LAUNCH_FILE, STOPPED_FILE, VERIFIED_FILE
from resources.deployment import EndpointTargets
from resources.endpoints.process import CODE


def deployed(root: Path, model: str, port: int) -> Path:
    folder = root / model
    folder.mkdir(parents=True)
    launch = {"port": port, "workers": 1, "environment": {CODE: "x"}}
    (folder / LAUNCH_FILE).write_text(json.dumps(launch), encoding="utf-8")
    (folder / VERIFIED_FILE).touch()
    return folder


def test_one_that_is_down_is_named_and_one_that_was_stopped_is_not(tmp_path: Path) -> None:
    root, file = tmp_path / "endpoints", tmp_path / "targets.json"
    endpoints = EndpointTargets(root=str(root))
    write_targets(endpoints, file)
    assert json.loads(file.read_text()) == []
    deployed(root, "one", 8101)
    (deployed(root, "two", 8102) / STOPPED_FILE).touch()
    (root / "damaged").mkdir()
    (root / "damaged" / LAUNCH_FILE).write_text("{", encoding="utf-8")
    (root / "damaged" / VERIFIED_FILE).touch()
    write_targets(endpoints, file)
    assert json.loads(file.read_text()) == [
        {"targets": ["127.0.0.1:8101"], "labels": {"model_name": "one"}}
    ]


@pytest.mark.parametrize("alertmanager", ["", "127.0.0.1:9093"])
def test_the_shipped_configuration_is_kept_but_for_places(alertmanager: str) -> None:
    found = configuration(Path("/a b/targets.json"), alertmanager)
    shipped = FRAMEWORK_ROOT / "deploy" / "prometheus" / "prometheus.yml"
    known = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    assert found["global"] == known["global"]
    assert all(Path(file).is_file() for file in found["rule_files"])
    (job,) = found["scrape_configs"]
    assert job["honor_labels"]
    assert "static_configs" not in job
    assert ("alerting" in found) == bool(alertmanager)
