"""Which windows of the prediction log a report judges: those that are over, each once."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.ml.monitoring.live_profiles import complete_windows, window_of

MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
LENGTHS = st.sampled_from([timedelta(minutes=7), timedelta(hours=1), timedelta(days=1)])
HOUR = timedelta(hours=1)


@given(MOMENTS, MOMENTS, LENGTHS, st.integers(1, 30))
def test_they_are_over_aligned_and_follow_each_other(
    newest: datetime, now: datetime, length: timedelta, most: int
) -> None:
    windows = complete_windows(newest, now, length, most)
    assert len(windows) == most
    assert windows[-1].end <= now
    assert all(one == window_of(one.start, length) for one in windows)
    assert all(a.end == b.start for a, b in itertools.pairwise(windows))
    next_one = window_of(windows[-1].end, length)
    assert next_one.end > now or next_one.start > newest


@given(MOMENTS, st.lists(st.integers(1, 300), min_size=1, max_size=20), LENGTHS)
def test_under_steady_traffic_every_window_is_judged_however_the_job_runs(
    start: datetime, minutes: list[int], length: timedelta
) -> None:
    """Each run sees the newest prediction at its own moment; the gaps are outages of the job."""
    judged: set[datetime] = set()
    now = start
    for gap in minutes:
        now += timedelta(minutes=gap)
        most = max(1, -(-timedelta(minutes=gap) // length) + 1)
        judged |= {window.start for window in complete_windows(now, now, length, most)}
    first, over = window_of(start, length), window_of(now, length).start
    expected = (over - first.start) // length
    assert len([moment for moment in judged if first.start <= moment < over]) == expected


def test_an_hourly_job_judges_the_hour_that_is_over() -> None:
    now = datetime(2026, 1, 10, 3, 0, 20, tzinfo=UTC)
    (window,) = complete_windows(now - timedelta(seconds=5), now, HOUR, 1)
    assert window.start == datetime(2026, 1, 10, 2, tzinfo=UTC)
    (old,) = complete_windows(now - timedelta(days=9, minutes=10), now, HOUR, 1)
    assert old.start == datetime(2026, 1, 1, 2, tzinfo=UTC), "the last in which somebody asked"
