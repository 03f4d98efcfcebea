from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mlops_assets.config import ModelSettings
from mlops_assets.defs.flights import loader
from mlops_assets.ml.data.contract import enforce
from mlops_assets.ml.data.reading import read_table
from mlops_assets.ml.data.sources import find_files
from mlops_assets.ml.data.verdict import Tally, contract_holds

DEFS = Path(loader.__file__).parents[1]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LABEL_AND_KEYS = {"arr_delay", "flight_id", "scheduled_departure", "month"}


def settings(model: str) -> ModelSettings:
    text = (DEFS / model / "defs.yaml").read_text(encoding="utf-8")
    attributes = yaml.safe_load(text)["attributes"]
    return ModelSettings.model_validate(attributes | {"deployment": {"port": 18100}})


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return loader.load()


def test_every_flight_keeps_the_contract(flights: pd.DataFrame):
    contract = settings("flights").contract
    assert list(flights.columns) == list(contract.columns)
    checked = enforce(flights, contract, NOW)
    assert (len(checked.rows), len(checked.bad)) == (336_776, 0)
    assert contract_holds(Tally.of(checked), contract)
    pd.testing.assert_frame_equal(checked.rows, flights)


def test_the_first_flight_is_as_in_the_file(flights: pd.DataFrame):
    first = flights.iloc[0]
    assert first["flight_id"] == "UA1545-EWR-20130101T0515"
    assert first["scheduled_departure"] == pd.Timestamp("2013-01-01T05:15-05:00")
    assert (first["weekday"], first["departure_minute"], first["arr_delay"]) == (1, 315, 11.0)
    assert (first["temp"], first["wind_dir"], first["dest"]) == (39.02, 260.0, "IAH")


def test_flights_are_unique_and_in_order(flights: pd.DataFrame):
    assert flights["flight_id"].is_unique
    assert flights["scheduled_departure"].is_monotonic_increasing


def test_local_times_survive_the_clock_changes(flights: pd.DataFrame):
    naive = pd.to_datetime(flights["flight_id"].str[-13:], format="%Y%m%dT%H%M")
    own = naive.dt.tz_localize("America/New_York").dt.tz_convert("UTC")
    assert (own == flights["scheduled_departure"]).all()
    assert (naive.dt.weekday == flights["weekday"]).all()
    assert (naive.dt.hour * 60 + naive.dt.minute == flights["departure_minute"]).all()
    summer = flights["scheduled_departure"].dt.strftime("%m-%d").isin(["03-10", "11-03"])
    assert summer.sum() > 1000


def test_gaps_are_those_of_the_sources(flights: pd.DataFrame):
    assert flights["arr_delay"].isna().sum() == 9_430
    assert flights["visib"].isna().sum() == 1_556
    model = settings("flights")
    assert set(model.features.columns).isdisjoint(LABEL_AND_KEYS)
    assert set(flights.columns) - set(model.features.columns) == LABEL_AND_KEYS


def test_every_purchase_of_the_customers_keeps_the_contract():
    model = settings("customers")
    source, contract = model.source, model.contract
    frame = read_table(find_files(str(source.uri)), source, list(contract.columns), "refuse")
    checked = enforce(frame, contract, NOW)
    assert (len(checked.rows), len(checked.bad)) == (69_659, 0)
    assert checked.rows.duplicated().sum() == 255
    assert (checked.rows["dollar_value"] == 0).sum() == 80
