"""A table of a database as the source: versions, partitions, new data and failures of its graph."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.data.delivered import read_rows
from tests.support.loans import fake_resources
from tests.support.retraining.loop import Loop, requested
from tests.support.runs.pipeline_runs import (
    STAGES,
    build,
    failure,
    materialize,
    materialized,
    metadata,
)

DATA = STAGES[:2]
Change = Callable[[str], None]


@pytest.fixture
def change(loans_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Runs a statement in the database of SHOP_DB, whose table `Loans 2024` holds the loans."""
    file = tmp_path / "shop.db"
    monkeypatch.setenv("SHOP_DB", f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as connection:
        pd.read_csv(loans_csv).to_sql("Loans 2024", connection, index=False)

    def run(statement: str) -> None:
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute(statement)

    return run


@pytest.fixture
def from_table(loans: dict[str, Any], change: Change) -> dict[str, Any]:
    return loans | {"source": {"database": "env:SHOP_DB", "table": "Loans 2024"}}


def kept(resources: dict[str, Any]) -> pd.DataFrame:
    return pd.read_parquet(Path(resources["io_manager"].root, "loans", "processed_data.parquet"))


def test_rows_of_a_table_train_as_those_of_a_file(
    loans: dict[str, Any],
    from_table: dict[str, Any],
    resources: dict[str, Any],
    tmp_path: Path,
    instance: dg.DagsterInstance,
) -> None:
    by_table = materialize(ModelSettings.model_validate(from_table), resources, instance)
    assert materialized(by_table) == STAGES
    others = fake_resources(tmp_path / "others")
    with dg.DagsterInstance.ephemeral() as other:
        by_file = materialize(ModelSettings.model_validate(loans), others, other)
    pd.testing.assert_frame_equal(kept(resources), kept(others))
    first, second = (metadata(one, "loans", "evaluation_report") for one in (by_table, by_file))
    assert first["roc_auc"] == second["roc_auc"]


def test_a_version_is_of_the_rows_whatever_their_order(
    from_table: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    change: Change,
) -> None:
    settings = ModelSettings.model_validate(from_table)

    def version() -> str:
        result = materialize(settings, resources, instance, DATA)
        (event,) = result.asset_materializations_for_node("loans__raw_data")
        known = (event.tags or {})["dagster/data_version"]
        raw = result.output_for_node("loans__raw_data")
        with resources["datasets"].open(raw) as files:
            assert list(read_rows(files, settings)["id"]) == sorted(kept(resources)["id"])
        return known

    first = version()
    change('create table turned as select * from "Loans 2024" order by amount')
    change('drop table "Loans 2024"')
    change('alter table turned rename to "Loans 2024"')
    assert version() == first
    change('update "Loans 2024" set amount = amount + 1 where id = 7')
    assert version() != first
    change('update "Loans 2024" set amount = amount - 1 where id = 7')
    assert version() == first


def test_partitions_of_a_table_give_the_same_rows(
    from_table: dict[str, Any],
    resources: dict[str, Any],
    tmp_path: Path,
    instance: dg.DagsterInstance,
    change: Change,
) -> None:
    whole = ModelSettings.model_validate(from_table)
    made = from_table | {"partitions": {"cadence": "month", "start": "2024-01-01"}}
    cut = ModelSettings.model_validate(made)
    assert materialize(cut, resources, instance, DATA).success
    change("insert into \"Loans 2024\" values (400, '2024-02-03', 3.5, 'a', 0)")
    late = materialize(cut, resources, instance, DATA)
    events = late.asset_materializations_for_node("loans__processed_data")
    checked = [event.metadata.get("checked") for event in events]
    assert [one.value for one in checked if one] == [1], "that of the new row"
    others = fake_resources(tmp_path / "others")
    with dg.DagsterInstance.ephemeral() as other:
        assert materialize(whole, others, other, DATA).success
    pd.testing.assert_frame_equal(
        kept(resources).sort_values("id", ignore_index=True), kept(others), check_exact=True
    )


def test_what_watch_answers_is_a_reason_to_train(
    from_table: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    change: Change,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from_table["monitoring"] = {"retrain": {"cooldown": "1s"}}
    unwatched = Loop(ModelSettings.model_validate(from_table), resources, instance)
    assert "the source names no `watch` to look at" in str(unwatched.tick().skip_reason)

    from_table["source"]["watch"] = ['select max(id), count(*) from "Loans 2024"']
    loop = Loop(ModelSettings.model_validate(from_table), resources, instance)
    assert materialize(loop.settings, resources, instance, STAGES[:5]).success
    loop.now = datetime.now(UTC)
    assert "content unchanged" in str(loop.tick().skip_reason), "the run has read it"
    change("insert into \"Loans 2024\" values (400, '2025-02-04', 3.5, 'a', 0)")
    assert len(requested(loop.tick())) == 1
    loop.end_run(promoted=True)
    monkeypatch.setenv("SHOP_DB", "sqlite:////nowhere/shop.db")
    assert "there is no such file" in str(loop.tick().skip_reason), "no tick that fails"


def test_a_failure_leaves_the_version_before(
    from_table: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    change: Change,
) -> None:
    settings = ModelSettings.model_validate(from_table)
    assert materialize(settings, resources, instance, DATA).success
    before = kept(resources)
    change('drop table "Loans 2024"')
    result = materialize(settings, resources, instance, DATA)
    said = "SourceError: the database env:SHOP_DB has no table Loans 2024; correct `source.table`"
    assert failure(result) == said
    assert kept(resources).equals(before)


def test_a_server_that_is_away_is_tried_again_and_tells_no_password(
    from_table: dict[str, Any],
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHOP_DB", "postgresql://ada:s3cret@127.0.0.1:9/shop?options=-cx=s3cret")
    result = materialize(ModelSettings.model_validate(from_table), resources, instance, DATA)
    (failed,) = result.filter_events(lambda event: event.is_step_failure)
    assert len(result.filter_events(lambda event: event.is_step_restarted)) == 2
    info = failed.step_failure_data.error
    assert "SourceUnavailableError: the database env:SHOP_DB does not answer" in str(info)
    logged = [str(entry) for entry in instance.all_logs(result.run_id)]
    assert not [entry for entry in logged if "s3cret" in entry]


def test_the_address_stands_in_nothing_that_is_kept(
    from_table: dict[str, Any],
    resources: dict[str, Any],
    tmp_path: Path,
    instance: dg.DagsterInstance,
) -> None:
    settings = ModelSettings.model_validate(from_table)
    result = materialize(settings, resources, instance)
    assert result.success
    address = f"sqlite:///{tmp_path / 'shop.db'}"
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert not [file for file in files if address.encode() in file.read_bytes()]
    assert address not in "".join(str(entry) for entry in instance.all_logs(result.run_id))
    assert address not in str(build(settings, resources))
