"""When a row was known, and which other dates are features: a test for each rule."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_assets.blocks.data import ContractSettings
from mlops_assets.errors import ConfigError
from mlops_assets.init.plan import Wanted, plan
from mlops_assets.init.questions import Answers, UndecidedError
from mlops_assets.init.reading.table import read_sample
from mlops_assets.init.yaml_text import yaml_text
from mlops_assets.ml.data.contract import enforce
from tests.unit.init.tables import AT, LABEL, NOISE, RNG, ROWS, sound


def test_rule_timestamp(infer: Any) -> None:
    born = pd.date_range("1960-01-01", periods=ROWS, freq="9D").strftime("%Y-%m-%d")
    draft = infer(sound(created_at=AT, birth_date=born))
    assert draft.attributes["timestamp"] == "created_at"
    assert "timestamp" not in infer(sound(birth_date=born)).attributes


@pytest.mark.parametrize("name", ["calendar_date", "weekend of", "vendorTime", "validated"])
def test_rule_timestamp_is_excluded_by_whole_words_of_its_name(infer: Any, name: str) -> None:
    draft = infer(sound(**{name: AT}))
    assert "timestamp" in draft.attributes
    assert "(likely)" not in yaml_text(draft, [])


@pytest.mark.parametrize(
    "name",
    [
        *(
            "signUpDate",
            "valid_until",
            "Start Date",
            "end",
            "dob",
            "lastSeen",
            "startdate",
            "Geburtsdatum",
        ),
        *("Kunde seit", "Vertragsbeginn", "Gültig bis", "Eintrittsdatum", "Début", "birthday"),
    ],
)
def test_rule_timestamp_is_no_beginning_or_end(infer: Any, name: str) -> None:
    assert "timestamp" not in infer(sound(**{name: AT})).attributes


@pytest.mark.parametrize("name", ["Erfasst am", "erstelltAm", "Zeitstempel", "recorded_on"])
def test_rule_timestamp_is_when_a_row_was_recorded(infer: Any, name: str) -> None:
    since = pd.date_range("2019-01-01", periods=ROWS, freq="2D").strftime("%Y-%m-%d")
    draft = infer(sound(**{"Kunde seit": since, "besucht": since, name: AT}))
    said = next(one for one in draft.decisions if one.place == "timestamp")
    assert said.said.startswith(name)
    assert said.likely
    assert said.said.endswith("or is it 'besucht'?")
    assert "Kunde seit" not in said.said
    told = infer(sound(**{"besucht": since, name: AT}), time=name)
    assert not next(one for one in told.decisions if one.place == "timestamp").likely


def test_rule_timestamp_taken_by_yes_of_several_is_likely(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    since = pd.date_range("2019-01-01", periods=ROWS, freq="2D").strftime("%Y-%m-%d")
    pd.DataFrame(sound(besucht=since, gesehen=AT)).to_csv(file, index=False)
    answers = Answers(likely=True)
    draft = plan(read_sample(str(file), "y", answers), Wanted("mine", "y", 8103), answers)
    assert next(one for one in draft.decisions if one.place == "timestamp").likely


def test_rule_timestamp_is_asked_where_several_would_do(infer: Any) -> None:
    two = sound(order_date=AT, invoice_date=AT)
    with pytest.raises(UndecidedError, match="--time 'order_date'"):
        infer(two)
    assert "timestamp" not in infer(two, time="none").attributes
    with pytest.raises(ConfigError, match="--time 'x' holds no moments"):
        infer(two, time="x")


def in_parts(day: str, clock: str, at: Any) -> list[list[str]]:
    return [list(at.strftime(day)), list(at.strftime(clock))]


EVERY_HOUR = pd.date_range("2023-11-01 00:30", periods=ROWS, freq="1h")


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (("Date", "Time"), ("%d/%m/%Y", "%H.%M.%S")),
        (("Datum", "Uhrzeit"), ("%d.%m.%Y", "%H:%M")),
        (("order_date", "order_time"), ("%Y-%m-%d", "%H:%M:%S")),
        (("Date", "Time of day"), ("%Y%m%d", "%I:%M %p")),
        (("date", "time"), ("%Y%m%d", "%H%M%S")),
        (("DATE_MAX", "TIME_MAX"), ("%Y-%m-%d", "%H%M")),
    ],
)
def test_rule_parts(infer: Any, names: tuple[str, str], form: tuple[str, str]) -> None:
    table = sound(**dict(zip(names, in_parts(*form, EVERY_HOUR), strict=True)))
    draft = infer(table)
    name = draft.attributes["timestamp"]
    rule = draft.attributes["contract"]["columns"][name]
    assert rule["from"] == list(names)
    assert rule["format"] == " ".join(form)
    assert draft.left_out == {}
    said = next(one for one in draft.decisions if one.place == "timestamp")
    assert "2023-11-01 to 2023-11-13, in 2 columns" in said.said
    assert not said.likely
    settings = ContractSettings.model_validate(draft.attributes["contract"])
    kept = enforce(pd.DataFrame(table).astype(str), settings, datetime.now(UTC))
    assert kept.rows[name].dt.tz_localize(None).tolist() == EVERY_HOUR.tolist()
    assert kept.bad.empty


def test_rule_parts_of_a_year_a_month_and_a_day(infer: Any) -> None:
    at = EVERY_HOUR
    table = sound(year=at.year, month=at.month, day=at.day, hour=at.hour)
    draft = infer(table)
    assert draft.attributes["timestamp"] == "year_month_day_hour"
    rule = draft.attributes["contract"]["columns"]["year_month_day_hour"]
    assert rule["format"] == "%Y %m %d %H"
    assert draft.attributes["features"]["columns"] == ["x", "hour"]
    assert draft.attributes["training"]["split"]["by"] == "time"
    assert "timestamp" not in infer({**table, "hour": NOISE, "day": NOISE}).attributes
    beside = infer({**table, "seen_at": at.strftime("%Y-%m-%d %H:%M")})
    assert beside.attributes["timestamp"] == "seen_at"


@pytest.mark.parametrize("option", ["time", "drop", "keep"])
def test_rule_parts_are_apart_where_a_person_names_one(infer: Any, option: str) -> None:
    day, clock = in_parts("%Y-%m-%d", "%H:%M", EVERY_HOUR)
    draft = infer(sound(Date=day, Time=clock), **{option: "Date"})
    assert draft.attributes["timestamp"] == "date"


@pytest.mark.parametrize(
    ("day", "clock"),
    [
        *(("opens_date", "closing_time"), ("Date", "lap"), ("date", "finish_time")),
        *(("date", "local time"), ("birth_date", "time"), ("birth_date", "birth_time")),
        *(("start_date", "start_time"), ("flight_date", "dep_time")),
    ],
)
def test_rule_parts_are_of_one_thing(infer: Any, day: str, clock: str) -> None:
    parts = in_parts("%Y-%m-%d", "%H:%M:%S", EVERY_HOUR + pd.to_timedelta(np.arange(ROWS), "s"))
    draft = infer(sound(**{day: parts[0], clock: parts[1]}))
    assert f"{day} {clock}" not in str(draft.decisions)
    assert "a time of day, or how long something took, e.g. '00:30:00'" in draft.left_out[clock]
    assert "write it as a number, e.g. of hours" in draft.left_out[clock]


def test_rule_parts_leave_a_whole_date_the_timestamp_where_times_are_missing(infer: Any) -> None:
    at = EVERY_HOUR + pd.to_timedelta(np.arange(ROWS), "s")
    day, clock = in_parts("%Y-%m-%d", "%H:%M:%S", at)
    gaps: list[Any] = [None, None, *clock[2:]]
    draft = infer(sound(date=day, time=gaps))
    assert draft.attributes["timestamp"] == "date"
    assert draft.attributes["training"]["split"]["by"] == "time"
    assert "that 2 rows have none of" in draft.left_out["time"]
    both = infer(sound(date=[None, None, *day[2:]], time=gaps))
    assert both.attributes["contract"]["columns"]["date_time"]["nullable"]
    hours = [None, *at.hour[1:]]
    units = infer(sound(year=at.year, month=at.month, day=at.day, hour=hours))
    assert units.attributes["timestamp"] == "year_month_day"


@pytest.mark.parametrize("odd", ["2460", "2530", "930"])
def test_rule_parts_of_digits_alone_are_clocks_in_every_row(infer: Any, odd: str) -> None:
    day, clock = in_parts("%Y%m%d", "%H%M", EVERY_HOUR)
    draft = infer(sound(date=day, time=[odd, *clock[1:]]))
    assert draft.attributes["timestamp"] == "date"


def test_rule_parts_say_what_is_24_00(infer: Any) -> None:
    at = EVERY_HOUR + pd.to_timedelta(np.arange(ROWS) * 7, "min")
    day, clock = in_parts("%Y-%m-%d", "%H:%M", at)
    draft = infer(sound(date=day, time=[*["24:00"] * 9, *clock[9:]]))
    assert draft.attributes["timestamp"] == "date"
    assert "; 9 are 24:00, which is 00:00 of the next day" in draft.left_out["time"]


def test_rule_timestamp_is_not_to_come(infer: Any) -> None:
    soon = pd.date_range("2099-01-01", periods=ROWS, freq="D").strftime("%Y-%m-%d")
    assert "timestamp" not in infer(sound(when=soon)).attributes


def test_rule_year(infer: Any) -> None:
    years = RNG.integers(1950, 2020, ROWS)
    draft = infer(sound(year_built=years))
    assert draft.attributes["contract"]["columns"]["year_built"]["dtype"] == "int64"
    draft = infer(sound(year=years), time="year")
    assert draft.attributes["contract"]["columns"]["year"]["format"] == "%Y"


def test_rule_dates(infer: Any) -> None:
    signed = pd.date_range("2020-01-01", periods=ROWS, freq="2D").strftime("%d.%m.%Y")
    paid = (pd.to_datetime(AT) + pd.Timedelta(days=9)).strftime("%Y-%m-%d")
    draft = infer(sound(asked_at=AT, signup=signed, paid=paid))
    part = {"column": "signup", "part": "age_days"}
    assert draft.attributes["features"]["dates"] == {"signup_age_days": part}
    assert "later than 'asked_at' in 100%" in draft.left_out["paid"]


@pytest.mark.parametrize("date", ["admitted", "signup", "new_since", "born", "every"])
def test_rule_dates_that_grow_by_the_calendar_are_ageing(infer: Any, date: str) -> None:
    at = pd.to_datetime(AT)
    first = pd.Timestamp("2023-06-01")
    dates = {
        "admitted": at - pd.to_timedelta(RNG.integers(1, 11, ROWS), unit="D"),
        "signup": first + pd.to_timedelta(RNG.integers(0, 200, ROWS), unit="D"),
        "new_since": first + (at - first) * 0.9 * RNG.uniform(0.9, 1, ROWS),
        "born": pd.Timestamp("1990-01-01") + pd.to_timedelta(RNG.integers(0, 9000, ROWS), "D"),
        "every": pd.Series(at - pd.Timedelta(days=3)).where(np.arange(ROWS) % 9 > 0, first),
    }[date]
    text = pd.Series(dates).dt.strftime("%Y-%m-%d")
    draft = infer(sound(asked_at=AT, **{date: text}), time="asked_at")
    assert list(draft.attributes["features"]["dates"]) == [f"{date}_age_days"]
    ageing = draft.attributes.get("monitoring", {}).get("drift", {}).get("ageing", {})
    assert ageing == ({"signup_age_days": "1d"} if date == "signup" else {})


def test_rule_dates_are_not_ageing_where_no_row_has_another_moment(infer: Any) -> None:
    born = pd.date_range("1960-01-01", periods=ROWS, freq="9D").strftime("%Y-%m-%d")
    attributes = infer(sound(birth_date=born)).attributes
    assert list(attributes["features"]["dates"]) == ["birth_date_age_days"]
    assert "ageing" not in attributes.get("monitoring", {}).get("drift", {})


def test_rule_dates_of_rows_without_a_moment_are_likely(infer: Any) -> None:
    born = pd.date_range("1960-01-01", periods=ROWS, freq="9D").strftime("%Y-%m-%d")

    def said(**columns: Any) -> Any:
        decisions = infer(sound(birth_date=born, **columns)).decisions
        return next(one for one in decisions if one.place == "features.dates.birth_date_age_days")

    assert not said(asked_at=AT).likely
    assert said().likely
    assert "its age when a row is delivered" in said().said
    assert "--drop 'birth_date' leaves it out" in said().said


def test_rule_known_after_of_a_date_is_left_out_of_the_contract(infer: Any) -> None:
    paid = (pd.to_datetime(AT) + pd.Timedelta(days=9)).strftime("%Y-%m-%d")
    contract = infer(sound(asked_at=AT, paid=paid)).attributes["contract"]
    assert "paid" not in contract["columns"]
    assert contract["extra_columns"] == "drop"


def test_rule_epoch_as_the_timestamp_is_no_more_sure_than_the_epoch(infer: Any) -> None:
    since = 1_700_000_000_000 + np.arange(ROWS) * 3_600_000

    def said(name: str) -> Any:
        draft = infer(sound(**{name: since}))
        assert draft.attributes["contract"]["columns"][name]["unit"] == "ms"
        return next(one for one in draft.decisions if one.place == "timestamp")

    assert said("when").likely
    assert not said("event_time").likely


@pytest.mark.parametrize("with_time", [True, False])
def test_rule_known_after_of_a_date_that_one_class_has(infer: Any, with_time: bool) -> None:
    when = pd.to_datetime(AT) - pd.Timedelta(days=3)
    refund = pd.Series(when.strftime("%Y-%m-%d")).where(pd.Series(LABEL) == 1)
    table = sound(refund_date=refund, **({"asked_at": AT} if with_time else {}))
    draft = infer(table)
    assert "for one class only" in draft.left_out["refund_date"]
    assert "dates" not in draft.attributes["features"]
    kept = infer(table, keep="refund_date").attributes["features"]["dates"]
    assert list(kept) == ["refund_date_age_days"]


def test_rule_known_after_of_a_date_that_few_rows_have(infer: Any) -> None:
    paid = pd.Series((pd.to_datetime(AT) + pd.Timedelta(days=9)).strftime("%Y-%m-%d"))
    draft = infer(sound(asked_at=AT, paid=paid.where(np.arange(ROWS) % 30 == 0)))
    assert "later than 'asked_at' in 100% of the rows that have it" in draft.left_out["paid"]


def test_rule_gives_away_is_asked_of_the_age_of_a_date(infer: Any) -> None:
    days = pd.to_timedelta(np.where(LABEL, 0, 60) + RNG.integers(1, 50, ROWS), unit="D")
    seen = (pd.to_datetime(AT) - days).strftime("%Y-%m-%d")
    with pytest.raises(UndecidedError, match="'seen' alone gives the target away"):
        infer(sound(asked_at=AT, seen=seen))


def test_rule_gives_away_is_asked(infer: Any) -> None:
    away = sound(away=(LABEL + RNG.normal(0, 0.05, ROWS)).round(4))
    with pytest.raises(
        UndecidedError, match=r"'away' alone gives the target away.*--suspects 'no'"
    ):
        infer(away)
    assert "away" in infer(away, suspects="no").left_out
    assert "away" in infer(away, keep="away").attributes["features"]["columns"]
    assert "x" not in infer(away, suspects="yes", drop="x").attributes["features"]["columns"]


@pytest.mark.parametrize(("periods", "clock"), [("1960-01-01", "data"), (None, None)])
def test_rule_serving(infer: Any, periods: str | None, clock: str | None) -> None:
    end = pd.Timestamp.now().normalize()
    at = pd.date_range(periods, periods=ROWS) if periods else pd.date_range(end=end, periods=ROWS)
    draft = infer(sound(id=np.arange(ROWS), time=at.strftime("%Y-%m-%d")))
    assert draft.attributes["features"].get("clock") == clock
    assert draft.attributes["features"]["ttl"] == "36500d"
