"""What the gate saw is what goes live, byte for byte, whatever became of the registry between."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.records.evaluation import Evaluation
from mlops_assets.records.serving import Inference
from tests.support.runs.pipeline_runs import STAGES, failure, materialize


@pytest.fixture(autouse=True)
def evaluated(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    """Version 1 is live, version 2 has passed the gate."""
    materialize(settings, resources, instance)
    materialize(settings, resources, instance, STAGES[3:6])


def test_a_version_exchanged_in_the_registry_after_the_gate_does_not_go_live(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    server = resources["tracking"].server
    server.models[1] = (server.models[1][0], refitted(server.models[0][1]))
    alone = materialize(settings, resources, instance, ["deployed_endpoint"])
    assert "model.skops of models:/loans/2 has sha256" in failure(alone)
    assert "it was exchanged in the registry since" in failure(alone)
    assert resources["deployment"].status("loans").model_version == 1


def refitted(file: bytes) -> bytes:
    """A version that is safe to load and answers otherwise."""
    import skops.io

    pipeline = skops.io.loads(file, trusted=skops.io.get_untrusted_types(data=file))
    pipeline[-1].coef_ = -pipeline[-1].coef_
    return skops.io.dumps(pipeline)


def test_an_onnx_graph_exchanged_after_the_gate_does_not_go_live(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    beside = resources["tracking"].server.beside[2]
    other = Inference.model_validate_json(beside["inference.json"])
    changed = other.model_copy(update={"onnx_sha256": "0" * 64})
    beside["inference.json"] = changed.model_dump_json().encode()
    alone = materialize(settings, resources, instance, ["deployed_endpoint"])
    assert "model.onnx of models:/loans/2 has sha256 0000" in failure(alone)


def test_an_evaluation_without_checksums_is_refused(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    (file,) = Path(resources["io_manager"].root, "loans").glob("evaluation_report*")
    report = Evaluation.model_validate_json(file.read_bytes())
    assert report.files
    file.write_text(report.model_dump_json(exclude={"files"}))
    alone = materialize(settings, resources, instance, ["deployed_endpoint"])
    assert "was evaluated by a release that took no checksums" in failure(alone)


def test_what_was_not_exchanged_goes_live(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    assert materialize(settings, resources, instance, ["deployed_endpoint"]).success
    assert resources["deployment"].status("loans").model_version == 2
