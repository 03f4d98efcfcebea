"""The worlds of the replay: nothing of the future is in the source of a past moment."""

from pathlib import Path

import pandas as pd

from demo.worlds import Customers, Flights, merged

PORT = 18300


def test_changes_reach_deep_and_leave_the_rest() -> None:
    base = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert merged(base, {"a": {"c": {"d": 4}}}) == {"a": {"b": 1, "c": {"d": 4}}, "e": 3}
    assert base["a"]["c"] == {"d": 2}


def test_customers_are_known_by_their_purchases_before_the_present(tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "customer_id": ["1", "1", "2", "3"],
            "date": ["19970105", "19971101", "19970930", "19971001"],
        }
    )
    world = Customers(tmp_path, PORT, rows)
    now = world.months()[0]

    world.write(now)

    assert pd.read_csv(world.file)["date"].tolist() == [19970105, 19970930]
    assert sorted(world.asked(now, 10)) == [1, 2]
    settings = world.settings(now)
    assert settings.features.snapshots.end == now
    assert settings.source.uri == str(world.file)
    assert settings.deployment.port == PORT


def test_flights_are_known_a_month_ahead_and_their_delays_are_not(tmp_path: Path) -> None:
    times = ["2013-03-31T12:00Z", "2013-04-01T12:00Z", "2013-04-30T12:00Z", "2013-05-01T00:00Z"]
    rows = pd.DataFrame(
        {
            "flight_id": list("abcd"),
            "scheduled_departure": pd.to_datetime(times, utc=True),
            "arr_delay": [1.0, 2.0, 3.0, 4.0],
        }
    )
    world = Flights(tmp_path, PORT, rows)
    now = world.months()[0]

    world.write(now)

    source = pd.read_parquet(world.file)
    assert source["flight_id"].tolist() == ["a", "b", "c"]
    assert source["arr_delay"].dropna().tolist() == [1.0]
    assert sorted(world.asked(now, 10)) == ["b", "c"]
    assert world.settings(now).source.loader is None


def test_the_same_entities_are_asked_again_in_each_replay(tmp_path: Path) -> None:
    ids = [str(number) for number in range(1, 101)]
    rows = pd.DataFrame({"customer_id": ids, "date": ["19970105"] * 100})
    world = Customers(tmp_path, PORT, rows)
    first, second = world.months()[:2]
    asked = world.asked(first, 20)
    assert len(set(asked)) == 20
    assert asked == Customers(tmp_path, PORT, rows).asked(first, 20)
    assert asked != world.asked(second, 20)
