"""A registered file that would run code: refused by gate and deployment before it is loaded."""

import os
import pickle
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from tests.graph.test_pipeline import STAGES, failure, materialize, materialized
from tests.unit.test_safe_model import Dropper


class Maker:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.target,)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Exists once the code of an attack ran."""
    return tmp_path / "ran"


@pytest.fixture(params=["skops", "pickle"])
def attack(request: pytest.FixtureRequest, target: Path) -> bytes:
    """A file that is dangerous, which is tried."""
    if request.param == "skops":
        import skops.io

        content = skops.io.dumps(Dropper(str(target)))
        skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
        target.unlink()
        return content
    content = pickle.dumps(Maker(str(target)))
    pickle.loads(content)
    target.rmdir()
    return content


def put(resources: dict[str, Any], version: int, content: bytes) -> None:
    """Somebody exchanges the file in the registry."""
    models = resources["tracking"].server.models
    models[version - 1] = (models[version - 1][0], content)


def test_the_gate_does_not_load_it(
    attack: bytes,
    target: Path,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    materialize(settings, resources, instance, STAGES[:4])
    put(resources, 1, attack)
    result = materialize(settings, resources, instance, STAGES[4:])
    assert "UnsafeModelError: the model file" in failure(result)
    assert materialized(result) == []
    assert not target.exists()


def test_the_deployment_does_not_load_what_was_exchanged_after_the_gate(
    attack: bytes,
    target: Path,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    materialize(settings, resources, instance, STAGES[:6])
    put(resources, 1, attack)
    result = materialize(settings, resources, instance, STAGES[6:])
    assert "UnsafeModelError: the model file" in failure(result)
    assert resources["deployment"].status("loans") is None
    assert resources["ledger"].head("loans") is None
    assert not target.exists()


def test_a_champion_that_became_dangerous_is_an_error_and_no_reason_to_skip_the_comparison(
    attack: bytes,
    target: Path,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    materialize(settings, resources, instance)
    put(resources, 1, attack)
    result = materialize(settings, resources, instance, STAGES[3:])
    assert "UnsafeModelError: the model file" in failure(result)
    assert resources["deployment"].status("loans").model_version == 1
    assert not target.exists()
