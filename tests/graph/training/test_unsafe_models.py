"""A registered file that would run code: refused by gate and deployment before it is loaded."""

import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from tests.support.runs.pipeline_runs import STAGES, failure, materialize, materialized
from tests.support.served.attacks import Dropper, Maker

Exchange = Callable[[Sequence[str], Sequence[str]], dg.ExecuteInProcessResult]


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


@pytest.fixture
def exchange(
    attack: bytes,
    target: Path,
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> Exchange:
    """Materialize some stages, exchange the file of version 1, and materialize others: in vain."""

    def run(before: Sequence[str], after: Sequence[str]) -> dg.ExecuteInProcessResult:
        materialize(settings, resources, instance, list(before))
        models = resources["tracking"].server.models
        models[0] = (models[0][0], attack)
        result = materialize(settings, resources, instance, list(after))
        assert "UnsafeModelError: the model file" in failure(result)
        assert not target.exists()
        return result

    return run


def test_the_gate_does_not_load_it(exchange: Exchange) -> None:
    assert materialized(exchange(STAGES[:4], STAGES[4:])) == []


def test_the_deployment_does_not_load_what_was_exchanged_after_the_gate(
    exchange: Exchange, resources: dict[str, Any]
) -> None:
    exchange(STAGES[:6], STAGES[6:])
    assert resources["deployment"].status("loans") is None
    assert resources["ledger"].head("loans") is None


def test_a_champion_that_became_dangerous_is_an_error_and_no_reason_to_skip_the_comparison(
    exchange: Exchange, resources: dict[str, Any]
) -> None:
    exchange(STAGES, STAGES[3:])
    assert resources["deployment"].status("loans").model_version == 1
