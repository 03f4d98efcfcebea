"""Moments in the online store: exact, and the same whatever zone the process is in."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.serving.online.moments import parse, resolution, spell

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=OFFSETS)  # noqa: DTZ001
ZONES = ["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin", "Asia/Kathmandu"]


@pytest.fixture
def local_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def enter(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    yield enter
    monkeypatch.undo()
    time.tzset()


@given(MOMENTS)
def test_a_moment_survives_exactly(moment: datetime) -> None:
    assert parse(spell(moment)) == moment
    assert parse(spell(moment)).tzinfo is UTC


@given(MOMENTS, MOMENTS)
def test_moments_are_ordered_as_they_are_spelled(one: datetime, other: datetime) -> None:
    assert (spell(one) < spell(other)) == (one < other)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("clock", ["2026-03-08 02:30", "2026-11-01 01:30", "1970-01-01 00:00"])
def test_a_utc_clock_without_a_zone_is_not_taken_for_local_time(
    local_zone: Callable[[str], None], zone: str, clock: str
) -> None:
    local_zone(zone)
    naive = datetime.fromisoformat(clock)
    assert parse(spell(naive)) == naive.replace(tzinfo=UTC)


def test_what_feast_wrote_itself_is_read_as_it_was_until_it_is_published_anew(
    local_zone: Callable[[str], None],
) -> None:
    local_zone("Asia/Tokyo")
    written = int(datetime(2026, 7, 1, 12).timestamp())  # noqa: DTZ001 - as Feast does
    assert parse(written) == datetime(2026, 7, 1, 12, tzinfo=UTC)


def test_only_coarser_stores_are_compared_more_coarsely() -> None:
    assert resolution({"type": "sqlite"}) == resolution({"type": "redis"})
    assert resolution({"type": "sqlite"}) == timedelta(microseconds=1)
    assert resolution({"type": "mysql"}) == timedelta(seconds=1)
