"""The next tick of a schedule, wherever this process believes to be."""

from datetime import UTC, datetime

import pytest

from resources.dagster.internals import next_tick


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 3 * * 0", "2026-03-28T23:59:59", "2026-03-29T03:00:00"),
        ("30 2 * * *", "2026-03-29T02:30:00", "2026-03-30T02:30:00"),  # a moment itself is over
        ("0 0 29 2 *", "2026-03-01T00:00:00", "2028-02-29T00:00:00"),
    ],
)
def test_the_next_tick_is_in_utc(cron: str, after: str, expected: str) -> None:
    found = next_tick(cron, datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)
