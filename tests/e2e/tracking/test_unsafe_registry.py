"""Dangerous files in a real MLflow registry: neither the gate nor a deployment loads one."""

import pickle
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.errors import TrackingError, UnsafeModelError
from mlops_assets.model_versions.fetched import fetched
from mlops_assets.records.evaluation import ModelVersion
from resources.tracking.tracking import MLflowTracking
from tests.support.served.attacks import Dropper, Maker
from tests.support.toy_models import flat_table

pytestmark = pytest.mark.e2e

SETTINGS = flat_table({"x": "float64", "y": "int64"})
EXAMPLE = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})


@pytest.fixture
def tracking(tmp_path: Path) -> MLflowTracking:
    uri, artifacts = f"sqlite:///{tmp_path / 'mlflow.db'}", str(tmp_path / "artifacts")
    return MLflowTracking(tracking_uri=uri, artifacts=artifacts)


def load_version(version: ModelVersion, tracking: MLflowTracking) -> None:
    with fetched(version, tracking, SETTINGS) as one:
        _ = one.estimator


def registered(tracking: MLflowTracking) -> ModelVersion:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression().fit(EXAMPLE, [0, 0, 1, 1])
    with tracking.run("shop", {}) as run:
        return run.log_model(model, registered_name="shop", example=EXAMPLE)


def model_file(tracking: MLflowTracking) -> Path:
    (file,) = Path(tracking.artifacts).rglob("model.skops")
    return file


def test_a_skops_file_that_was_exchanged_is_refused(
    tracking: MLflowTracking, tmp_path: Path
) -> None:
    import skops.io

    version, target = registered(tracking), tmp_path / "ran"
    load_version(version, tracking)
    content = skops.io.dumps(Dropper(str(target)))
    model_file(tracking).write_bytes(content)
    with pytest.raises(UnsafeModelError, match=r"outside the allow-list.*Dropper"):
        load_version(version, tracking)
    assert not target.exists()
    skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    assert target.exists(), "the trap works"


@pytest.mark.parametrize("name", ["model.skops", "model.pkl"])
def test_a_pickle_is_refused_under_either_name(
    tracking: MLflowTracking, tmp_path: Path, name: str
) -> None:
    version, target = registered(tracking), tmp_path / "ran"
    file = model_file(tracking)
    content = pickle.dumps(Maker(str(target)))
    file.unlink()
    file.with_name(name).write_bytes(content)
    expected = {"model.skops": UnsafeModelError, "model.pkl": TrackingError}[name]
    with pytest.raises(expected, match=r"no skops file|no model\.skops but"):
        load_version(version, tracking)
    assert not target.exists()
    pickle.loads(content)
    assert target.exists(), "the trap works"
