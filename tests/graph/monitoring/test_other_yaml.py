"""A champion is watched as it was trained, whatever the YAML of a refused version says."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.keys import asset_key
from tests.support.runs.pipeline_runs import build, checks, materialize, metadata
from tests.support.served.live_rows import chances, predictions, stored_features

WATCHING = [
    *("processed_data", "prediction_log", "labels"),
    *("drift_report", "performance_report", "skew_report"),
]
MONITORING = {
    "window": "200d",
    "drift": {"min_rows": 50},
    "performance": {"min_rows": 50, "tolerance": 0.3},
}


@pytest.fixture
def loans(loans: dict[str, Any]) -> dict[str, Any]:
    """With a second number, which the champion is not fed."""
    source = Path(loans["source"]["uri"])
    table = pd.read_csv(source)
    table.assign(rate=table["amount"] * 2 + table["id"] % 7).to_csv(source, index=False)
    loans["contract"]["columns"]["rate"] = {"dtype": "float64"}
    return {**loans, "monitoring": MONITORING}


def dropped(yaml: dict[str, Any]) -> None:
    yaml["features"]["columns"], yaml["processing"] = ["amount"], {}


def dropped_of_the_contract_too(yaml: dict[str, Any]) -> None:
    dropped(yaml)
    del yaml["contract"]["columns"]["grade"]
    yaml["contract"]["extra_columns"] = "drop"


def added(yaml: dict[str, Any]) -> None:
    yaml["features"]["columns"] = ["amount", "grade", "rate"]


def encoded(yaml: dict[str, Any]) -> None:
    yaml["processing"]["categorical_encoding"] = {"grade": "ordinal"}


def renamed(yaml: dict[str, Any]) -> None:
    columns = yaml["contract"]["columns"]
    for old, new in {"amount": "sum_lent", "grade": "class", "id": "loan", "time": "day"}.items():
        columns[new] = {**columns.pop(old), "from": old}
    yaml["features"]["columns"] = ["sum_lent", "class"]
    yaml["processing"] = {"categorical_encoding": ["class"]}
    yaml |= {"entity": {"name": "loan"}, "timestamp": "day"}


def swapped(yaml: dict[str, Any]) -> None:
    """The same names, of each other's columns."""
    columns = yaml["contract"]["columns"]
    columns["amount"] = {**columns["amount"], "from": "rate"}
    columns["rate"] = {**columns["rate"], "from": "amount"}


def regressed(yaml: dict[str, Any]) -> None:
    yaml["features"]["columns"], yaml["processing"] = ["grade"], {"categorical_encoding": ["grade"]}
    yaml["target"] = {"name": "defaulted", "task": "regression", "column": "amount"}
    yaml["training"]["estimator"] = "sklearn.linear_model.Ridge"
    yaml["evaluation"] = {"primary": "rmse", "gate": {"limits": {}}}


CHANGES = [dropped, dropped_of_the_contract_too, added, encoded, renamed, swapped, regressed]


def watch(
    yaml: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance, **drift: bool
) -> dg.ExecuteInProcessResult:
    settings = ModelSettings.model_validate(yaml)
    job = build(settings, resources).resolve_job_def("loans_monitoring")
    return job.execute_in_process(
        instance=instance,
        asset_selection=[asset_key("loans", stage) for stage in WATCHING],
        run_config={"ops": {"loans__drift_report": {"config": drift}}},
        raise_on_error=False,
    )


def report(result: dg.ExecuteInProcessResult, stage: str) -> Any:
    return result.asset_value(asset_key("loans", stage))


def found(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    assert result.success
    drift, performance = report(result, "drift_report"), report(result, "performance_report")
    skew, facts = report(result, "skew_report"), metadata(result, "loans", "drift_report")
    return {
        **{name: facts[name] for name in ("verdict", "rows", "drifted_columns", "columns")},
        "drift": drift.newest,
        "labels": metadata(result, "loans", "labels")["dagster/row_count"],
        "measured": [(one.metrics, one.estimated) for one in performance.windows if one.final],
        "requests": skew.rows,
        "skewed": skew.skewed,
    }


@pytest.fixture
def champion(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> dict[str, Any]:
    """Version 1 is live and was asked; what its reports say before anything is changed."""
    assert materialize(ModelSettings.model_validate(loans), resources, instance).success
    frame = stored_features(resources)
    resources["predictions"].add("loans", predictions(frame, chances(frame)))
    said = found(watch(loans, resources, instance))
    assert said["labels"] == len(frame)
    assert said["measured"][0][0]["roc_auc"] > 0.7
    assert said["measured"][0][1]["log_loss"] > 0
    assert said["requests"] > 50
    return said


def test_a_refused_version_of_another_yaml_changes_no_report_of_the_champion(
    champion: dict[str, Any],
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    for change in CHANGES:
        other = deepcopy(loans)
        change(other)
        name, bound = ("rmse", "max") if change is regressed else ("roc_auc", "min")
        other["evaluation"]["gate"]["limits"] = {name: {bound: 1 - 1e-9 if bound == "min" else 0}}
        refused = materialize(ModelSettings.model_validate(other), resources, instance)
        assert not checks(refused)["model_passes_the_gate"]
        assert resources["ledger"].head("loans").to_version == 1
        assert found(watch(other, resources, instance)) == champion, change
    assert found(watch(loans, resources, instance)) == champion, "with the YAML put back"
    added(loans)
    assert found(watch(loans, resources, instance)) == champion, "before any is trained"


def test_what_the_source_does_not_give_any_more_stops_no_report(
    champion: dict[str, Any],
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    source = Path(loans["source"]["uri"])
    pd.read_csv(source).drop(columns="grade").to_csv(source, index=False)
    dropped(loans)
    del loans["contract"]["columns"]["grade"]
    loans["evaluation"]["gate"]["limits"] = {"roc_auc": {"min": 1 - 1e-9}}
    refused = materialize(ModelSettings.model_validate(loans), resources, instance)
    assert not checks(refused)["model_passes_the_gate"]
    result = watch(loans, resources, instance, all_columns=True)
    said = found(result)
    for name in ("verdict", "drifted_columns", "labels"):
        assert said[name] == champion[name]
    assert [one for one, _ in said["measured"]] == [one for one, _ in champion["measured"]]
    gone = "today's data of loans do not give what its champion was trained on"
    for report, place in {
        "drift_report": "evidently",
        "performance_report": "not_estimated",
        "skew_report": "not_compared",
    }.items():
        assert gone in metadata(result, "loans", report)[place]
