"""Schemathesis against the document that a live endpoint publishes: no 5xx, nothing undocumented.

`benchmarks/fuzz.py` runs longer.
"""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.served.fuzzing import KINDS, Kinds, fuzz
from tests.worlds.effort import few_in_the_gate

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Generator[Kinds]:
    kinds = Kinds(tmp_path_factory.mktemp("fuzz"))
    yield kinds
    kinds.stop()


@pytest.mark.parametrize("kind", few_in_the_gate(KINDS, "binary"))
def test_no_request_makes_the_endpoint_fail(kind: str, kinds: Kinds, tmp_path: Path) -> None:
    endpoint = kinds.serve(kind)

    outcome = fuzz(endpoint.url, tmp_path, examples=25)

    assert outcome.passed, outcome.report
    assert outcome.cases > 150
    assert outcome.operations == 8  # all but the document's own address
