"""Every entity, or a table, is scored as the endpoint would; once in the log, and whole or not."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.errors import ContractError, DeploymentError, SourceError
from mlops_assets.records.scoring import BatchSummary
from mlops_assets.scoring.batch import Batches
from mlops_assets.scoring.table import Table
from tests.support.runs.pipeline_runs import build, materialize, metadata

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
def trained(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> dict[str, Any]:
    assert materialize(settings, resources, instance).success
    return resources


def batches(settings: ModelSettings, resources: dict[str, Any]) -> Batches:
    return Batches.of(settings, resources["deployment"], resources["predictions"])


def scored(
    settings: ModelSettings, resources: dict[str, Any], file: Path, output: Path
) -> tuple[BatchSummary, pd.DataFrame]:
    summary = batches(settings, resources).score(Table([file], settings, NOW), output)
    return summary, pd.read_parquet(output)


def test_the_asset_scores_every_entity_by_its_newest_features(
    settings: ModelSettings, trained: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    job = build(settings, trained).resolve_job_def("loans_scoring")
    result = job.execute_in_process(instance=instance)

    facts = metadata(result, "loans", "batch_predictions")
    assert (facts["dagster/row_count"], facts["quarantined"], facts["version"]) == (400, 0, 1)
    found = pd.read_parquet(Path(*(row["whole"] for row in facts["output"])))
    assert found["id"].tolist() == list(range(400))
    model = batches(settings, trained).model
    rows = pd.read_csv(settings.source.uri or "")[["amount", "grade"]].to_dict("records")
    assert found["prediction"].tolist() == model.scores(rows)[:, 0].tolist()


def test_run_again_nothing_stands_twice_in_the_log(
    settings: ModelSettings, trained: dict[str, Any], loans_csv: Path, tmp_path: Path
) -> None:
    first, said = scored(settings, trained, loans_csv, tmp_path / "a.parquet")
    second, again = scored(settings, trained, loans_csv, tmp_path / "b.parquet")

    assert (first.rows, first.logged, second.rows, second.logged) == (400, 400, 400, 0)
    assert first.batch == second.batch
    assert said["prediction"].tolist() == again["prediction"].tolist()
    logged = trained["predictions"].read("loans", *EVER)
    assert len(logged) == 400
    assert set(logged["role"]) == {"batch"}
    assert logged["score"].tolist() == said["prediction"].tolist()


def test_a_batch_is_another_by_what_changes_its_rows_and_not_by_what_is_tolerated(
    loans: dict[str, Any], settings: ModelSettings, trained: dict[str, Any], tmp_path: Path
) -> None:
    table, file = pd.read_csv(settings.source.uri or ""), tmp_path / "new.parquet"
    table.loc[[3, 7], "amount"] = -1.0
    table.to_parquet(file)
    first, _ = scored(settings, trained, file, tmp_path / "o.parquet")
    assert (first.logged, first.exceeded) == (398, None)

    def again(**contract: Any) -> BatchSummary:
        changed = ModelSettings.model_validate(
            {**loans, "contract": {**loans["contract"], **contract}}
        )
        return scored(changed, trained, file, tmp_path / "o.parquet")[0]

    strict = again(max_bad_fraction=0.001)
    assert (strict.batch, strict.logged) == (first.batch, 0)
    assert strict.exceeded == "contract.max_bad_fraction: 0.001"
    refusing = again(bad_rows="refuse")
    assert (refusing.batch, refusing.exceeded) == (first.batch, "contract.bad_rows: refuse")
    columns = loans["contract"]["columns"]
    amount = {**columns["amount"], "min": -1}
    other = again(columns={**columns, "amount": amount})
    assert (other.rows, other.logged) == (400, 400)
    assert other.batch != first.batch


def test_the_label_may_be_missing_and_other_columns_are_named(
    settings: ModelSettings, trained: dict[str, Any], loans_csv: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(loans_csv).drop(columns="label").assign(note="x")
    table.to_parquet(tmp_path / "new.parquet")
    summary, found = scored(settings, trained, tmp_path / "new.parquet", tmp_path / "o.parquet")
    assert (summary.rows, summary.ignored) == (400, ("note",))
    assert found["row"].tolist() == list(range(400))


def test_what_breaks_the_contract_is_in_quarantine(
    settings: ModelSettings, trained: dict[str, Any], loans_csv: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(loans_csv)
    table.loc[[3, 7], "amount"] = -1.0
    table.to_csv(tmp_path / "new.csv.gz", index=False)
    summary, found = scored(settings, trained, tmp_path / "new.csv.gz", tmp_path / "o.parquet")
    assert (summary.rows, summary.quarantined, summary.reasons) == (398, 2, {"amount.min": 2})
    bad = pd.read_parquet(str(summary.quarantine))
    assert bad["row"].tolist() == [3, 7]
    assert bad["reason"].tolist() == ["amount.min: '-1.0' is below 0"] * 2
    assert not set(found["row"]) & {3, 7}

    table.loc[[3, 7], "amount"] = 1.0
    table.to_csv(tmp_path / "new.csv", index=False)
    summary, found = scored(settings, trained, tmp_path / "new.csv", tmp_path / "o.parquet")
    assert summary.quarantine is None
    assert not (tmp_path / "o.quarantine.parquet").exists()


def test_who_cannot_be_scored_is_told_what_to_do(
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    loans_csv: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(DeploymentError, match="no version of 'loans' is deployed; run `mlops run"):
        batches(settings, resources)
    assert materialize(settings, resources, instance).success
    table, file, output = pd.read_csv(loans_csv), tmp_path / "new.csv", tmp_path / "o.parquet"
    output.write_text("before")

    table.drop(columns="grade").to_csv(file, index=False)
    with pytest.raises(SourceError, match=r"columns \['grade'\] are missing"):
        scored(settings, resources, file, output)
    table.head(0).to_csv(file, index=False)
    with pytest.raises(SourceError, match=r"only the header .* and no rows"):
        scored(settings, resources, file, output)
    table.assign(amount=-1).to_csv(file, index=False)
    with pytest.raises(ContractError, match="none of 400 rows can be scored"):
        scored(settings, resources, file, output)
    assert len(pd.read_parquet(tmp_path / "o.quarantine.parquet")) == 400
    assert output.read_text() == "before"
    assert resources["predictions"].read("loans", *EVER).empty
    assert {path.name for path in tmp_path.glob(".*")} == set()


def test_by_the_clock_every_entity_is_scored_only_where_the_yaml_says_so(
    settings: ModelSettings, loans: dict[str, Any], resources: dict[str, Any]
) -> None:
    plain = build(settings, resources).get_repository_def()
    assert not plain.schedule_defs
    nightly = ModelSettings.model_validate({**loans, "schedule": {"score": "0 3 * * *"}})
    (schedule,) = build(nightly, resources).get_repository_def().schedule_defs
    assert (schedule.job_name, schedule.cron_schedule) == ("loans_scoring", "0 3 * * *")


def test_entities_whose_features_have_expired_are_set_apart(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    features = {**loans["features"], "ttl": "100d"}
    settings = ModelSettings.model_validate({**loans, "features": features})
    assert materialize(settings, resources, instance).success
    asked = batches(settings, resources)
    summary = asked.score(asked.snapshot(resources["feature_store"]))
    assert (summary.rows, summary.quarantined) == (101, 299)
    assert summary.reasons == {"event_timestamp.ttl": 299}
    bad = pd.read_parquet(str(summary.quarantine))
    assert bad["id"].tolist() == [str(n) for n in range(299)]
    assert bad["reason"].iloc[0].endswith("is older than features.ttl, 100 days")


def test_rows_without_an_entity_are_scored_however_old_but_for_those_that_the_model_refuses(
    loans: dict[str, Any],
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    table = pd.read_csv(loans_csv)
    table.loc[[3, 7], ["amount", "label"]] = None  # LogisticRegression takes no gap
    table.drop(columns="id").to_csv(loans_csv, index=False)
    columns = {name: {**column, "nullable": True} for name, column in
               loans["contract"]["columns"].items() if name != "id"}  # fmt: skip
    columns["time"]["nullable"] = False
    settings = ModelSettings.model_validate(
        {
            **{name: block for name, block in loans.items() if name != "entity"},
            "contract": {"columns": columns},
            "features": {**loans["features"], "ttl": "100d"},
            "target": {**loans["target"], "missing": "unlabelled"},
        }
    )
    assert materialize(settings, resources, instance).success
    asked = batches(settings, resources)
    summary = asked.score(asked.snapshot(resources["feature_store"]))
    assert (summary.rows, summary.quarantined) == (398, 2)
    bad = pd.read_parquet(str(summary.quarantine))
    assert bad["row"].tolist() == [3, 7]
    assert bad["reason"].str.contains("not finite").all()
    assert set(pd.read_parquet(summary.output)["row"]) == set(range(400)) - {3, 7}
