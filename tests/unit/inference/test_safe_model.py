import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_assets.blocks.base import Task
from mlops_assets.errors import DeploymentError, UnsafeModelError
from mlops_assets.ml.export.parity import read_inference
from mlops_assets.ml.inference.model_files import load_estimator
from mlops_assets.serving.version.model import load_servable, read_servable
from resources.endpoints.folder import EndpointFolder, read_checked
from tests.support.served.attacks import Dropper
from tests.support.served.served_models import Built, build, with_content

BACK = r"delete \S+/versions/\d+, then `mlops run endpoint` brings the version back$"


def stage(built: Built, tmp_path: Path) -> Path:
    folder = EndpointFolder(tmp_path / "endpoint")
    return folder.stage(built.servable, built.model_file, built.recorded)


def test_a_model_that_runs_code_is_refused_before_it_is_loaded(
    built: Built, tmp_path: Path
) -> None:
    import skops.io

    target = tmp_path / "dropped"
    content = skops.io.dumps(Dropper(str(target)))
    version = stage(with_content(built, content, 2), tmp_path)

    with pytest.raises(UnsafeModelError, match=r"Dropper.*training\.trusted_types"):
        load_servable(version)

    assert not target.exists()
    # The trap works: whoever trusts the file's own list runs its code.
    skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    assert target.exists()


def test_a_function_of_the_system_is_refused() -> None:
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    content = skops.io.dumps(FunctionTransformer(os.getcwd))
    with pytest.raises(UnsafeModelError, match=r"getcwd"):
        load_estimator(content)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_supported_models_load_and_pass_their_self_check(tmp_path: Path, task: Task) -> None:
    built = build(tmp_path, task=task)
    assert built.servable.inference.runtime == "onnxruntime"
    load_servable(stage(built, tmp_path)).self_check(built.recorded)


def test_what_describes_a_version_stands_beside_it_as_it_was_first(
    built: Built, tmp_path: Path
) -> None:
    def told(text: str) -> Path:
        built.model_file.with_name("model_card.json").write_text(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        documents = {"model_card.json": digest}
        servable = built.servable.model_copy(update={"documents": documents})
        return stage(replace(built, servable=servable), tmp_path)

    version = told('{"data_version": "abc"}')
    assert told('{"data_version": "told later"}') == version
    assert load_servable(version).card == {"data_version": "abc"}

    (version / "model_card.json").write_text("{}")
    with pytest.raises(DeploymentError, match=r"model_card\.json has sha256"):
        load_servable(version)


@pytest.mark.parametrize("onnx", [True, False])
def test_a_changed_or_missing_file_is_refused(tmp_path: Path, onnx: bool) -> None:
    version = stage(build(tmp_path, onnx=onnx), tmp_path)
    file = version / ("model.onnx" if onnx else "model.skops")
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(DeploymentError, match=rf"has sha256 .* the file changed; {BACK}"):
        load_servable(version)
    file.unlink()
    with pytest.raises(DeploymentError, match=rf"cannot read the model version in .*; {BACK}"):
        load_servable(version)
    shutil.rmtree(version)
    gone = rf"versions/{version.name} is gone; `mlops run endpoint` brings the version back$"
    with pytest.raises(DeploymentError, match=gone):
        load_servable(version)


def test_each_who_meets_a_damaged_version_says_the_same_remedy(
    built: Built, tmp_path: Path
) -> None:
    version, folder = stage(built, tmp_path), EndpointFolder(tmp_path / "endpoint")
    model = version / "model.skops"
    model.write_bytes(b"other")
    with pytest.raises(DeploymentError, match=rf"stands there with another content.*; {BACK}"):
        stage(built, tmp_path)
    with pytest.raises(DeploymentError, match=rf"registered was \w+; {BACK}"):
        read_checked(model, built.servable.sha256)
    (version / "servable.json").write_text("{")
    with pytest.raises(DeploymentError, match=rf"is damaged: .*; {BACK}"):
        folder.kept(built.servable.model_version)
    shutil.rmtree(version)
    with pytest.raises(DeploymentError, match=r"files are gone; there is no other\. `mlops run"):
        folder.kept(built.servable.model_version)
    assert load_servable(stage(built, tmp_path))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('"scikit-learn"', "inference.runtime: Input should be .*, not 'torch'"),
        ('"model_version"', "model_version: Field required"),
        ("{", "Invalid JSON: .*"),
    ],
)
def test_what_is_wrong_in_a_servable_is_one_sentence(
    built: Built, tmp_path: Path, written: str, said: str
) -> None:
    version = stage(built, tmp_path)
    file = version / "servable.json"
    wrong = {'"scikit-learn"': '"torch"', '"model_version"': '"x"', "{": "{{"}[written]
    content = built.servable.model_dump_json().replace('"onnxruntime"', '"scikit-learn"')
    file.write_text(content.replace(written, wrong, 1))
    with pytest.raises(DeploymentError, match=rf"{said}.*; {BACK}") as caught:
        read_servable(version)
    assert "\n" not in str(caught.value)
    assert "http" not in str(caught.value)


def test_a_damaged_graph_under_its_true_checksum_is_refused(built: Built, tmp_path: Path) -> None:
    file, content = built.model_file.with_suffix(".onnx"), b"no graph"
    file.write_bytes(content)
    inference = built.servable.inference.model_copy(
        update={"onnx_sha256": hashlib.sha256(content).hexdigest()}
    )
    servable = built.servable.model_copy(update={"inference": inference})
    version = stage(Built(servable, built.model_file, built.recorded), tmp_path)
    with pytest.raises(DeploymentError, match="the ONNX model cannot be loaded"):
        load_servable(version)


def test_a_version_that_leaves_out_what_is_usual_still_loads(built: Built, tmp_path: Path) -> None:
    version = stage(built, tmp_path)
    facts = json.loads((version / "servable.json").read_bytes())
    del facts["documents"], facts["inference"]["unlike"]
    (version / "servable.json").write_text(json.dumps(facts), encoding="utf-8")

    load_servable(version).self_check(built.recorded)
    assert stage(built, tmp_path) == version


def test_a_model_without_its_record_of_inference_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DeploymentError, match=r"inference\.json beside model\.skops is damaged: No"
    ):
        read_inference(tmp_path / "model.skops")


def test_a_file_other_than_the_registered_one_is_not_staged(built: Built, tmp_path: Path) -> None:
    built.model_file.write_bytes(b"something else")
    with pytest.raises(DeploymentError, match=r"has sha256 .*, registered was"):
        stage(built, tmp_path)
    assert not (tmp_path / "endpoint" / "versions").exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(UnsafeModelError, match="damaged or no skops file"):
        load_estimator(content)


def test_a_version_never_changes(built: Built, tmp_path: Path) -> None:
    version = stage(built, tmp_path)
    assert stage(built, tmp_path) == version
    (version.parent / ".staging-left").mkdir()
    with pytest.raises(DeploymentError, match="versions never change"):
        stage(with_content(built, b"other", 1), tmp_path)
    assert [path.name for path in version.parent.iterdir()] == ["1"]


def test_newer_recorded_requests_are_no_change(built: Built, tmp_path: Path) -> None:
    version = stage(built, tmp_path)
    before = (version / "recorded.json").read_bytes()
    stage(Built(built.servable, built.model_file, built.recorded[:2]), tmp_path)
    assert (version / "recorded.json").read_bytes() == before
