"""Schemathesis against the document that a live endpoint publishes: no 5xx, nothing undocumented.

`benchmarks/fuzz.py` runs longer.
"""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.records.serving import OnlineFeatures
from resources.deployment import LocalBentoML
from resources.feature_store import FeastFeatureStore
from tests.fuzzing import fuzz
from tests.live_endpoints import Subject, publish
from tests.served_models import AS_OF, VIEW, build, online_frame

pytestmark = pytest.mark.e2e

TEXT = EntitySettings(name="customer_id", dtype="string")


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Generator[Subject]:
    """One endpoint that serves a model of each kind, one after the other."""
    folder = tmp_path_factory.mktemp("fuzz")
    local = LocalBentoML(root=str(folder / "endpoints"))
    by_text = build(folder, version=3, task="regression")
    servable = by_text.servable.model_copy(update={"entity": TEXT})
    versions = {
        1: build(folder, version=1, task="binary", accepts_missing=False),
        2: build(folder, version=2, task="multiclass"),
        3: replace(by_text, servable=servable),
    }
    yield Subject(local, versions, publish(folder))
    local.stop("toy")


@pytest.fixture(scope="module")
def by_text(tmp_path_factory: pytest.TempPathFactory) -> OnlineFeatures:
    """The features of entities that are texts."""
    store = FeastFeatureStore(root=str(tmp_path_factory.mktemp("texts")))
    view = VIEW.model_copy(update={"entity": TEXT, "name": "texts"})
    frame = online_frame()
    store.publish(view, frame.assign(customer_id=frame["customer_id"].map(str).astype(object)))
    return OnlineFeatures(store=store.serving_config(view), view=view, as_of=AS_OF)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_no_request_makes_the_endpoint_fail(
    version: int, subject: Subject, by_text: OnlineFeatures, tmp_path: Path
) -> None:
    if version == 3:
        subject.online = by_text
    endpoint = subject.deploy(version)
    if version == 3:
        (answer,) = subject.deployer.predict("toy", ["1"])
        assert pd.notna(answer["prediction"])

    outcome = fuzz(endpoint.url, tmp_path, examples=25)

    assert outcome.passed, outcome.report
    assert outcome.cases > 150
    assert outcome.operations == 8  # all but the document's own address
