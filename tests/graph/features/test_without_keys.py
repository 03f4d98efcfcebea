"""A table without an id, without a time, or without both: trained, served and watched."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.training.fit import split
from mlops_assets.scoring.batch import Batches
from tests.support.fakes.features import FakeDatasets
from tests.support.runs.pipeline_runs import STAGES, build, checks, materialize, materialized
from tests.support.tables.wine import classes_of, wine, wine_yaml, with_ids, with_times

Table = Callable[[pd.DataFrame], pd.DataFrame]
BY_ID = {"online_equals_offline", "served_features_equal_offline", "performance_has_not_degraded"}


def table(*steps: Table) -> pd.DataFrame:
    frame = wine()
    for step in steps:
        frame = step(frame)
    return frame


def run(
    frame: pd.DataFrame, folder: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> tuple[ModelSettings, dg.ExecuteInProcessResult]:
    yaml = wine_yaml(frame, folder / "wine.csv")
    yaml["evaluation"]["gate"] = {"against_champion": "off"}  # so few rows show nothing
    if "ttl" in yaml["features"]:
        yaml["features"]["ttl"] = "36500d"
    settings = ModelSettings.model_validate(yaml)
    return settings, materialize(settings, resources, instance)


def stored(resources: dict[str, Any], stage: str) -> pd.DataFrame:
    file = resources["io_manager"].path(dg.AssetKey(["wine", stage]), pd.DataFrame)
    return pd.read_parquet(file)


def read_at(moment: str, resources: dict[str, Any]) -> FakeDatasets:
    """The store of data when its clock says so."""
    now = resources["datasets"]
    return FakeDatasets(
        root=now.root, cache=now.cache, quarantine=now.quarantine, pinned_now=moment
    )


def long_ago(frame: pd.DataFrame) -> pd.DataFrame:
    """Longer than the longest TTL."""
    return frame.assign(tasted=frame["tasted"].str.replace("2025", "1885"))


@pytest.mark.parametrize(
    "steps",
    [(), (with_ids,), (with_times,), (with_times, long_ago)],
    ids=["neither", "id only", "time only", "time only, long ago"],
)
def test_what_it_lacks_it_does_without(
    steps: tuple[Table, ...],
    tmp_path: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    settings, result = run(table(*steps), tmp_path, resources, instance)
    assert result.success
    assert materialized(result) == STAGES
    found = checks(result)
    assert all(found.values())
    assert found["live_equals_offline"]
    assert ("online_equals_offline" in found) == (settings.entity is not None)
    row = resources["deployment"].sample("wine", 1)
    (answer,) = resources["deployment"].predict_features("wine", [row])
    assert sum(answer["probabilities"].values()) == pytest.approx(1)


def test_checks_and_reports_by_id_are_not_there(resources: dict[str, Any]) -> None:
    def names(frame: pd.DataFrame) -> tuple[set[str], set[str]]:
        settings = ModelSettings.model_validate(wine_yaml(frame, Path("/dev/null")))
        definitions = build(settings, resources)
        found = [spec for each in definitions.asset_checks or () for spec in each.check_specs]
        stages = {spec.key.path[-1] for spec in definitions.resolve_all_asset_specs()}
        return {spec.name for spec in found}, stages

    by_id, alone = names(table(with_ids)), names(table())
    assert by_id[0] - alone[0] == BY_ID
    assert by_id[1] - alone[1] == {"skew_report"}
    assert not alone[0] - by_id[0]


def test_both_parts_have_each_class_as_often_and_no_entity_twice(
    tmp_path: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    settings, _ = run(table(with_ids), tmp_path, resources, instance)
    parts = split(stored(resources, "features"), settings)
    assert len(parts.test) == pytest.approx(0.2 * 178, abs=5)
    assert not set(parts.train["bottle"]) & set(parts.test["bottle"])
    assert classes_of(parts.test) == pytest.approx(classes_of(parts.train), abs=0.1)


@pytest.mark.parametrize("steps", [(), (with_ids,)], ids=["neither", "id only"])
def test_rows_are_as_of_their_delivery_however_often_it_is_read(
    steps: tuple[Table, ...],
    tmp_path: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    frame, values = table(*steps), []
    for day, rows in (("01", frame), ("02", frame), ("03", frame.head(170)), ("04", frame)):
        moment = f"2026-01-{day}T00:00:00.5+00:00"
        pinned = read_at(moment, resources)
        _, result = run(rows, tmp_path, {**resources, "datasets": pinned}, instance)
        assert result.success
        values.append(stored(resources, "features"))
    first, again, other, back = values
    assert first.equals(again)
    assert first.attrs["raw"] == again.attrs["raw"]
    newest = [value[TIMESTAMP].max() for value in (first, other, back)]
    assert newest == [pd.Timestamp(f"2026-01-{day}", tz="UTC") for day in ("01", "03", "04")]
    if steps:
        last = other.drop_duplicates("bottle", keep="last")
        assert (last[TIMESTAMP] == newest[1]).all(), "the last row of a bottle is its newest"
        assert other[TIMESTAMP].min() == newest[1] - pd.Timedelta(microseconds=2)


def test_a_scored_row_has_the_number_that_it_has_everywhere(
    tmp_path: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    settings, _ = run(table(with_times), tmp_path, resources, instance)
    batches = Batches.of(settings, resources["deployment"], resources["predictions"])
    output = tmp_path / "answers.parquet"
    batches.score(batches.snapshot(resources["feature_store"]), output)
    found, rows = pd.read_parquet(output), stored(resources, "features")
    said = found.merge(rows, on="row", validate="one_to_one")
    assert len(said) == len(rows) == 178
    assert said["prediction"].eq(said["grower"].astype(int).astype(str)).mean() > 0.9


def logged(rows: pd.DataFrame, names: tuple[str, ...], **columns: Any) -> pd.DataFrame:
    """What an endpoint logs that is asked for `rows`, one after another, some hours later."""
    asked = pd.Timestamp.now("UTC").floor("D") - pd.Timedelta(hours=30)
    frame = pd.DataFrame(
        {
            "request_id": [f"r{number}" for number in range(len(rows))],
            "row": 0,
            "logged_at": asked,
            "event_time": asked,
            "features_as_of": pd.Series(pd.NaT, rows.index, "datetime64[us, UTC]"),
            "source": "request",
            "role": "primary",
            "entity": None,
            "score": 0.9,
            "predicted": rows["grower"].astype(int).astype(str),
            "model_version": 1,
            "generation": 1,
            "latency_seconds": 0.001,
            **{f"feature_{name}": rows[name] for name in names},
        }
    ).assign(**columns)
    times = ["logged_at", "event_time", "features_as_of"]
    return frame.astype(dict.fromkeys(times, "datetime64[us, UTC]"))


def watch(
    settings: ModelSettings, resources: dict[str, Any], instance: dg.DagsterInstance
) -> dict[str, dict[str, Any]]:
    job = build(settings, resources).resolve_job_def("wine_monitoring")
    result = job.execute_in_process(instance=instance)
    return {
        event.asset_key.path[-1]: {
            k: v.value for k, v in event.step_materialization_data.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }


def test_without_an_id_drift_is_seen_and_no_label(
    tmp_path: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    frame = table()
    settings, _ = run(frame, tmp_path, resources, instance)
    rows = stored(resources, "features")
    rows = pd.concat([rows] * 3, ignore_index=True)
    resources["predictions"].add("wine", logged(rows, settings.features.names))
    said = watch(settings, resources, instance)
    assert said["labels"]["dagster/row_count"] == 0
    assert said["performance_report"]["windows"] == 1
    assert said["performance_report"]["verdict"] == "none: no window has all its labels"
    assert said["drift_report"]["verdict"] == "unknown", "36 held-out rows are too few to judge by"
    assert "skew_report" not in said


def test_a_later_delivery_says_what_became_of_an_earlier_one(
    tmp_path: Path, resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    frame = table(with_ids).drop_duplicates("bottle", ignore_index=True)
    pinned = read_at("2026-01-01T00:00:00+00:00", resources)
    early = frame.assign(target=frame["target"].where(frame.index % 4 > 0)).astype(
        {"target": "Int64"}
    )
    yaml = wine_yaml(early, tmp_path / "wine.csv")
    yaml["contract"]["columns"]["target"]["nullable"] = True
    yaml["target"]["missing"] = "unlabelled"
    yaml["features"]["ttl"] = "36500d"
    settings = ModelSettings.model_validate(yaml)
    assert materialize(settings, {**resources, "datasets": pinned}, instance).success
    rows = stored(resources, "features").assign(grower=0)
    columns = {"features_as_of": rows[TIMESTAMP], "source": "online", "entity": rows["bottle"]}
    answers = logged(rows, settings.features.names, **columns)
    resources["predictions"].add("wine", answers)
    frame.to_csv(tmp_path / "wine.csv", index=False)
    assert materialize(
        settings, resources, instance, ["raw_data", "processed_data", "features"]
    ).success
    said = watch(settings, resources, instance)
    assert said["labels"]["dagster/row_count"] == len(frame) == 60
    assert said["skew_report"]["requests"] == 0, "of what is gone nothing is compared"
