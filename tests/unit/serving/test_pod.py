"""What a pod does before it serves, and what it does when it cannot."""

from pathlib import Path

import pytest
import uvicorn

from mlops_assets.errors import DeploymentError
from mlops_assets.serving.process.bento import MANIFEST_FILE, unpack
from mlops_assets.serving.process.connections import HTTP_PROTOCOLS, Connection
from mlops_assets.serving.process.pod import prepare
from mlops_assets.serving.version.holder import read_manifest
from resources.cluster.applied import generation_file, prune_generations, write_generation
from resources.endpoints.folder import EndpointFolder
from tests.support.served.served_models import Built, build, no_online, with_content
from tests.support.served.serving_worker import SETTINGS, Worker


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("built"))


def generation(shared: EndpointFolder, built: Built) -> Path:
    version = shared.stage(built.servable, built.model_file, built.recorded)
    wanted = shared.wanted(built.servable, version, no_online(), SETTINGS)
    write_generation(shared.path, wanted)
    shared.mark_verified(wanted)
    return generation_file(shared.path, wanted.generation)


def test_a_pods_folder_is_its_own_and_its_log_is_not(tmp_path: Path, built: Built) -> None:
    shared, own = EndpointFolder(tmp_path / "shared/toy"), tmp_path / "own"
    manifest = generation(shared, built)
    for _ in range(2):  # also when the container is started again
        (own / "prometheus").mkdir(parents=True, exist_ok=True)
        (own / "prometheus/left.db").touch()
        prepare(own, manifest)
    assert list((own / "prometheus").iterdir()) == []
    assert (own / "predictions").resolve() == shared.path / "predictions"
    assert (own / "metrics").resolve() == shared.path / "metrics"
    assert read_manifest(own) == shared.verified()


def test_a_manifest_that_is_not_there_names_the_claim(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r"7\.json.*Is the claim mounted there"):
        prepare(tmp_path / "own", tmp_path / "7.json")


def test_a_pod_never_serves_the_version_before(tmp_path: Path, built: Built) -> None:
    """Or a rollout would end well without what it was for."""
    shared = EndpointFolder(tmp_path / "toy")
    generation(shared, built)
    manifest = generation(shared, with_content(built, b"not a model", 2))
    worker = Worker(tmp_path / "own")
    prepare(worker.folder.path, manifest)
    worker.holder.reconcile()
    with pytest.raises(DeploymentError, match="no skops file"):
        worker.holder.require_active()


def test_generations_are_numbered_on_and_old_ones_go(tmp_path: Path, built: Built) -> None:
    shared = EndpointFolder(tmp_path / "toy")
    names = [generation(shared, built).stem for _ in range(7)]
    assert names == ["1", "2", "3", "4", "5", "6", "7"]
    prune_generations(shared.path)
    left = sorted(file.stem for file in (shared.path / "generations").glob("*.json"))
    assert left == ["3", "4", "5", "6", "7"]


def test_a_built_bento_reads_no_endless_head(
    tmp_path: Path, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BentoML makes uvicorn's configuration itself, without a protocol."""
    monkeypatch.setitem(HTTP_PROTOCOLS, "auto", HTTP_PROTOCOLS["auto"])
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "")
    monkeypatch.setenv("MLOPS_ENDPOINT", str(tmp_path / "own"))
    manifest = generation(EndpointFolder(tmp_path / "toy"), built)
    (tmp_path / MANIFEST_FILE).write_bytes(manifest.read_bytes())
    unpack(tmp_path)
    config = uvicorn.Config(lambda: None)
    config.load()
    assert config.http_protocol_class is Connection


def test_a_pod_counts_each_step_of_a_trial_from_when_it_is_named(
    tmp_path: Path, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_POD", "toy-1")
    shared = EndpointFolder(tmp_path / "toy")
    manifest = generation(shared, built)
    (shared.path / "predictions").mkdir()
    worker = Worker(tmp_path / "own")
    prepare(worker.folder.path, manifest)
    worker.holder.reconcile()

    def ask(times: int) -> None:
        for _ in range(times):
            worker.post("/predict_features", {"rows": [built.recorded[0].features]})

    def counted(step: int) -> int:
        return worker.holder.count_step(step).requests

    ask(2)
    assert counted(701) == 0
    ask(3)
    assert counted(701) == counted(701) == 3, "whoever asks"
    assert counted(702) == 0
    ask(1)
    seen = worker.holder.count_step(702)
    assert (seen.requests, seen.errors, len(seen.seconds), len(seen.scores)) == (1, 0, 1, 1)


def test_what_a_pod_counted_is_told_to_its_deployer_alone(
    tmp_path: Path, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = Worker(tmp_path / "local")
    assert local.post("/trial", {"step": 1}).status_code == 404, "workers report by files"
    monkeypatch.setenv("MLOPS_POD", "toy-1")
    worker = Worker(tmp_path / "own")
    worker.serve(built)
    refused = worker.post("/trial", {"step": 1})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "operator_only")
