"""What a colleague reads in MLflow: names, verdicts, each version's place by the ledger."""

from typing import Any

import dagster as dg

from mlops_assets.config import ModelSettings
from resources.champion.described import what_changed
from tests.support.runs.pipeline_runs import build, materialize

MADE = {"dvc/md5": "a", "code/sha256": "b", "settings/sha256": "c"}


def roll_back(settings: ModelSettings, resources: dict[str, Any], instance: Any) -> None:
    job = build(settings, resources).resolve_job_def(f"{settings.name}_rollback")
    assert job.execute_in_process(instance=instance).success


def test_a_run_is_called_by_what_is_new_in_it() -> None:
    assert what_changed(MADE, None) == "the first"
    assert what_changed(MADE, MADE) == "made again"
    assert what_changed(MADE, {**MADE, "dvc/md5": "x", "settings/sha256": "x"}) == (
        "new data, settings"
    )


def test_verdict_and_place_stand_on_the_version_and_follow_the_ledger(
    settings: ModelSettings,
    loans: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    server = resources["tracking"].server
    assert materialize(settings, resources, instance).success
    first = server.said[1]
    assert (first["mlops/gate"], first["mlops/place"]) == ("passed", "champion")
    assert "- roc_auc: " in first["description"]
    names = [run["name"] for run in server.runs.values()]
    assert names[0].startswith("loans 1, 20")
    assert names[0].endswith(", the first")

    loans["evaluation"]["gate"]["against_champion"] = "off"  # few rows: a wide interval
    loans["training"]["params"] = {"C": 0.5}
    other = ModelSettings.model_validate(loans)
    assert materialize(other, resources, instance).success
    assert [server.said[n]["mlops/place"] for n in (1, 2)] == ["previous champion", "champion"]
    assert [run["name"] for run in server.runs.values()][1].endswith(", new settings")

    roll_back(other, resources, instance)
    assert [server.said[n]["mlops/place"] for n in (1, 2)] == ["champion", "rolled back"]

    loans["evaluation"]["gate"]["limits"] = {"roc_auc": {"min": 0.9999}}
    loans["training"]["params"] = {"C": 0.4}
    materialize(ModelSettings.model_validate(loans), resources, instance)
    refused = server.said[3]
    assert refused["mlops/place"] == "refused by the gate"
    assert refused["mlops/gate"].startswith("refused: roc_auc")
    assert "roc_auc" in refused["description"].split("Refused by the gate:")[1]
