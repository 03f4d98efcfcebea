"""A challenger of another YAML beside the champion: on the same rows, each on its own features."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.documented import TracedRows
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.training.fit import split
from mlops_assets.model_versions.champion.as_trained import RowsAsTrained, as_trained
from mlops_assets.model_versions.champion.features import champion_features
from tests.support.runs.pipeline_runs import materialize, materialized, metadata

Change = Callable[[dict[str, Any]], None]
UNTIL_JUDGED = ["raw_data", "processed_data", "features", "trained_model", "evaluation_report"]


def judged(
    yaml: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> dict[str, Any]:
    """What the evaluation of a version says that is made by this YAML, and not deployed."""
    settings = ModelSettings.model_validate(yaml)
    result = materialize(settings, resources, instance, UNTIL_JUDGED)
    assert materialized(result) == UNTIL_JUDGED
    return metadata(result, settings.name, "evaluation_report")


def rewrite(yaml: dict[str, Any], change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    source = Path(yaml["source"]["uri"])
    change(pd.read_csv(source)).to_csv(source, index=False)


@pytest.fixture
def loans(loans: dict[str, Any]) -> dict[str, Any]:
    """With a number that the champion is not fed, some rows twice, and one that is bad."""

    def more(table: pd.DataFrame) -> pd.DataFrame:
        table = table.assign(rate=table["amount"] * 2 + table["id"] % 7)
        bad = table.iloc[[5]].assign(id=10_000, amount=-1.0)
        return pd.concat([table.head(40), bad, table.iloc[[3, 3]], table.tail(-40)])

    rewrite(loans, more)
    loans["contract"]["columns"]["rate"] = {"dtype": "float64"}
    loans["processing"] |= {"drop_duplicates": True}
    loans["evaluation"]["gate"]["limits"] = {"roc_auc": {"min": 0.5}}
    return loans


def without_keys(yaml: dict[str, Any]) -> None:
    """No id and no moment: which row it is, only its place says."""
    yaml |= {"entity": None, "timestamp": None}
    del yaml["features"]["ttl"]
    yaml["processing"]["drop_columns"] = ["id", "time"]
    yaml["training"]["split"] = {"by": "random", "fraction": 0.3}


def dropped(yaml: dict[str, Any]) -> None:
    """And so more rows are the same."""
    yaml["features"]["columns"] = ["amount"]
    del yaml["processing"]["categorical_encoding"]
    yaml["processing"]["drop_columns"] = [*yaml["processing"].get("drop_columns", ()), "grade"]


def replaced(yaml: dict[str, Any]) -> None:
    yaml["features"]["columns"] = ["rate"]
    del yaml["processing"]["categorical_encoding"]


def renamed(yaml: dict[str, Any]) -> None:
    columns = yaml["contract"]["columns"]
    for old, new in {"amount": "sum_lent", "grade": "class", "label": "bad", "id": "loan"}.items():
        columns[new] = {**columns.pop(old), "from": old}
    yaml["features"]["columns"] = ["sum_lent", "class"]
    yaml["processing"]["categorical_encoding"] = ["class"]
    yaml["target"]["column"] = "bad"
    if yaml["entity"]:
        yaml["entity"] = {"name": "loan"}
    else:
        yaml["processing"]["drop_columns"] = ["loan", "time"]


def swapped(yaml: dict[str, Any]) -> None:
    """The same names, of each other's columns."""
    columns = yaml["contract"]["columns"]
    columns["amount"] = {**columns["amount"], "from": "rate"}
    columns["rate"] = {**columns["rate"], "from": "amount"}


def stricter_once(yaml: dict[str, Any]) -> None:
    """Its contract takes what the champion's refuses."""
    yaml["contract"]["columns"]["amount"] = {"dtype": "float64"}
    yaml["features"]["columns"] = ["amount", "grade", "rate"]


def encoded(yaml: dict[str, Any]) -> None:
    yaml["processing"]["categorical_encoding"] = {"grade": "ordinal"}


CHANGES = [dropped, replaced, renamed, swapped, stricter_once, encoded]


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(lambda _: None, id="by id"),
        pytest.param(without_keys, id="without keys", marks=pytest.mark.thorough),
    ],
)
def test_the_champion_is_scored_on_its_own_features_of_the_same_rows(
    keys: Change,
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    keys(loans)
    loans["evaluation"]["gate"]["against_champion"] = "superior"
    assert materialize(ModelSettings.model_validate(loans), resources, instance).success
    same = judged(loans, resources, instance)
    for change in CHANGES:
        other = deepcopy(loans)
        change(other)
        found = judged(other, resources, instance)
        assert "not_compared" not in found, change
        assert found["champion"] == "models:/loans/1"
        if keys is without_keys:  # a row is known by its features, so others are held out
            assert found["champion_loss"] == pytest.approx(same["champion_loss"], rel=0.5)
        else:
            assert found["champion_loss"] == same["champion_loss"], change


def test_a_row_without_a_key_is_known_by_its_place(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    without_keys(loans)
    assert materialize(ModelSettings.model_validate(loans), resources, instance).success
    replaced(loans)
    loans["processing"]["drop_columns"] = ["id", "time", "amount", "grade"]  # other duplicates
    today = ModelSettings.model_validate(loans)
    judged(loans, resources, instance)
    tracking = resources["tracking"]
    then = as_trained(tracking.registry.version("loans", 1), today, tracking)
    path = resources["io_manager"].path(dg.AssetKey(["loans", "features"]), pd.DataFrame)
    stored = TracedRows.of(path)
    test = split(stored.rows, today).test
    own = champion_features(test, then, today, stored.record, resources["datasets"])
    beyond = (test["rate"] - 2 * own["amount"]).round(6)
    assert beyond.isin(range(7)).all(), "as the table was made"
    assert own["amount"].nunique() > 10


def test_a_challenger_that_knows_less_is_refused_by_the_comparison(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["training"]["estimator"] = "sklearn.ensemble.RandomForestClassifier"
    loans["training"].pop("scale")
    assert materialize(ModelSettings.model_validate(loans), resources, instance).success
    loans["contract"]["columns"]["noise"] = {"dtype": "float64"}
    rewrite(loans, lambda table: table.assign(noise=table["id"] * 7919 % 101))
    loans["features"]["columns"] = ["noise"]
    loans["processing"] = {"drop_duplicates": True}
    loans["evaluation"]["gate"]["limits"] = {"roc_auc": {"min": 0.01}}
    found = judged(loans, resources, instance)
    assert not found["promoted"]
    assert "against the champion's" in found["reasons"]


def test_features_that_today_s_data_do_not_give_any_more_are_said(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    assert materialize(ModelSettings.model_validate(loans), resources, instance).success
    rewrite(loans, lambda table: table.drop(columns="grade"))
    del loans["contract"]["columns"]["grade"]
    loans["features"]["columns"] = ["amount"]
    loans["processing"] = {"drop_duplicates": True}
    found = judged(loans, resources, instance)
    said = found["not_compared"]
    assert "models:/loans/1 cannot be compared: its features cannot be computed any more" in said
    assert "grade" in said
    assert said.endswith("; the version was held against evaluation.gate.limits alone")
    assert "p_value" not in found
    assert "held against evaluation.gate.limits alone" in found["model_card"]

    loans["evaluation"]["gate"]["limits"] = {}
    found = judged(loans, resources, instance)
    assert found["not_compared"].endswith("; the version was held against the prior alone")
    assert "prior_loss" in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"positive": 0}, "target.positive was None, is 0"),
        (
            {"column": "rate", "above": 90.0},
            "target.column was 'label', is 'rate', target.above was None, is 90.0",
        ),
        ({"task": "multiclass"}, "target.task was 'binary', is 'multiclass'"),
    ],
)
def test_a_champion_of_another_target_is_no_measure(
    change: dict[str, Any],
    said: str,
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    assert materialize(ModelSettings.model_validate(loans), resources, instance).success
    loans["target"] |= change
    loans["evaluation"] = {"primary": "log_loss", "gate": {"limits": {"log_loss": {"max": 9.0}}}}
    found = judged(loans, resources, instance)
    assert f"it predicts something else: {said}" in found["not_compared"]


def test_a_source_that_is_delivered_in_another_format_is_read_as_it_is(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    loans["evaluation"]["gate"]["against_champion"] = "superior"
    assert materialize(ModelSettings.model_validate(loans), resources, instance).success
    same = judged(loans, resources, instance)
    table = pd.read_csv(loans["source"]["uri"])
    table.to_csv(loans["source"]["uri"], index=False, sep=";", decimal=",")
    loans["source"] |= {"delimiter": ";", "decimal": ","}
    found = judged(loans, resources, instance)
    assert found["champion_loss"] == same["champion_loss"]


def shop(folder: Path) -> dict[str, Any]:
    """Who bought often of late buys again."""
    rng = np.random.default_rng(1)
    keen = rng.uniform(0.02, 0.4, 120)
    days = pd.date_range("2024-01-01", periods=200, tz="UTC")
    bought = rng.uniform(size=(200, 120)) < keen
    day, customer = np.nonzero(bought)
    table = pd.DataFrame({"customer": customer, "day": days[day].strftime("%Y-%m-%d")})
    file = folder / "shop.csv"
    table.assign(amount=rng.uniform(1, 9, len(table)).round(2)).to_csv(file, index=False)
    return {
        "name": "shop",
        "source": {"uri": str(file)},
        "entity": {"name": "customer"},
        "timestamp": "day",
        "contract": {
            "columns": {
                "customer": {"dtype": "int64"},
                "day": {"dtype": "datetime"},
                "amount": {"dtype": "float64"},
            }
        },
        "features": {
            "snapshots": {"every": "2 weeks", "start": "2024-02-01T00:00:00Z"},
            "aggregates": {
                "bought": {"agg": "count", "window": "28d"},
                "spent": {"agg": "sum", "column": "amount"},
            },
            "ttl": "30d",
            "clock": "data",
        },
        "target": {"name": "buys", "task": "binary", "agg": "count", "window": "7d", "at_least": 1},
        "training": {
            "estimator": "sklearn.linear_model.LogisticRegression",
            "impute": "zero",
            "scale": True,
            "split": {"by": "time", "test": "4 weeks"},
        },
        "evaluation": {
            "primary": "log_loss",
            "gate": {"against_champion": "superior", "limits": {"log_loss": {"max": 5.0}}},
        },
        "deployment": {"port": 18201},
    }


def test_an_aggregate_of_another_window_is_another_feature(
    tmp_path: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    yaml = shop(tmp_path)
    assert materialize(ModelSettings.model_validate(yaml), resources, instance).success
    same = judged(yaml, resources, instance)
    yaml["features"]["aggregates"] = {"bought": {"agg": "count", "window": "2d"}}
    found = judged(yaml, resources, instance)
    assert found["champion_loss"] == same["champion_loss"]
    assert found["loss_difference"] > 0


def test_snapshots_that_came_after_the_training_are_as_the_champion_makes_them(
    tmp_path: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    yaml = shop(tmp_path)
    yaml["features"]["snapshots"]["end"] = "2024-05-09T00:00:00Z"
    assert materialize(ModelSettings.model_validate(yaml), resources, instance).success
    yaml["features"]["snapshots"]["end"] = "2024-06-20T00:00:00Z"
    today = ModelSettings.model_validate(yaml)
    found = materialize(today, resources, instance, UNTIL_JUDGED[:3])
    tracking = resources["tracking"]
    then = as_trained(tracking.registry.version("shop", 1), today, tracking)
    stored = found.output_for_node("shop__features")
    rows = RowsAsTrained(then, today, resources["datasets"]).features(stored)
    assert rows[TIMESTAMP].max() == pd.Timestamp("2024-06-20", tz="UTC")
    pd.testing.assert_frame_equal(rows, stored.rows)
