"""What a YAML may leave out where a table has no id or no time, and what it then may not say."""

import copy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from yaml import safe_load as yaml_of

from mlops_assets.blocks.data import DELIVERED, ROW
from mlops_assets.config import ModelSettings
from mlops_assets.records.data import FeatureView
from tests.support.tables.wine import wine, wine_yaml
from tests.unit.components.test_config import EVENT_LOG, FUTURE, changed


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return wine_yaml(wine(), tmp_path_factory.mktemp("wine") / "wine.csv")


@pytest.fixture
def yaml(written: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(written)


def refusal(attributes: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        ModelSettings.model_validate(attributes)
    return str(caught.value)


def test_a_table_without_id_and_time_needs_neither_split_nor_ttl(yaml: dict[str, Any]) -> None:
    settings = ModelSettings.model_validate(yaml)
    assert (settings.key, settings.timestamp_column) == (ROW, DELIVERED)
    assert (settings.split.by, settings.split.fraction) == ("random", 0.2)
    assert FeatureView.of(settings).entity is None


def test_what_is_named_is_taken(loans: dict[str, Any]) -> None:
    settings = ModelSettings.model_validate(loans)
    assert (settings.key, settings.timestamp_column) == (settings.entity, "time")
    assert settings.split == settings.training.split


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("training.split", {"by": "time", "test": "1 month"}, "needs a `timestamp`; name the"),
        ("contract.columns.row", {"dtype": "int64"}, "columns ['row'] are added to the rows"),
        (f"contract.columns.{DELIVERED}", {"dtype": "int64"}, "are added to the rows"),
        ("target.name", "row", "share the names ['row']"),
        ("monitoring.labels", {"maturity": "3d"}, "monitoring.labels: it needs an `entity`"),
        ("monitoring.performance", {"min_rows": 3}, "monitoring.performance: it needs an `entity`"),
        ("monitoring.skew", {"sample": 3}, "monitoring.skew: it needs an `entity`"),
        ("monitoring.retrain", {"min_new_labels": 3}, "retrain.min_new_labels: it needs an"),
        ("monitoring.retrain", {"performance": {"windows": 9}}, "retrain.performance: it needs an"),
    ],
)
def test_what_needs_an_id_or_a_time_says_so(
    yaml: dict[str, Any], path: str, value: Any, message: str
) -> None:
    assert message in refusal(changed(yaml, path, value))


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("entity", "features.snapshots: an event log needs `entity`: whose an event is"),
        ("timestamp", "features.snapshots: an event log needs `timestamp`: whose an event is"),
    ],
)
def test_an_event_log_has_both(loans: dict[str, Any], gone: str, message: str) -> None:
    attributes = {**loans, "features": EVENT_LOG, "target": FUTURE, "processing": {}}
    assert message in refusal({k: v for k, v in attributes.items() if k != gone})


def test_with_a_time_it_must_be_said_what_is_held_out(loans: dict[str, Any]) -> None:
    del loans["training"]["split"]
    assert "training.split: it is missing: say what is held out" in refusal(loans)


def test_with_an_id_it_must_be_said_how_old_a_value_may_be(loans: dict[str, Any]) -> None:
    del loans["features"]["ttl"]
    assert "features.ttl: it is missing: how old may a value be" in refusal(loans)


def test_drift_of_a_model_without_ids_may_be_watched_as_of_any_other(yaml: dict[str, Any]) -> None:
    changed(yaml, "monitoring.drift", {"threshold": 0.3})
    changed(yaml, "monitoring.retrain", {"on_drift": "train"})
    assert ModelSettings.model_validate(yaml).monitoring.retrain.on_drift == "train"


def test_the_smallest_yaml_of_the_docs_is_all_that_is_needed() -> None:
    page = Path("docs/reference/yaml.md").read_text(encoding="utf-8")
    document = yaml_of(page.split("```yaml")[1].split("```")[0])
    settings = ModelSettings.model_validate(document["attributes"])
    assert (settings.entity, settings.timestamp, settings.features.ttl) == (None, None, None)
