"""A window with enough answers to clients is judged by them alone, others with their batches."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from mlops_assets.ml.monitoring.judged import judged_parts, judged_rows
from mlops_assets.records.profile import Part, Profile

DAY = timedelta(days=1)
START = datetime(2026, 3, 1, tzinfo=UTC)
ENOUGH = 10


def log(*asked: tuple[str, int, int, int]) -> pd.DataFrame:
    """Rows by role, day, version and number."""
    rows = [
        {"role": role, "event_time": START + day * DAY, "model_version": version}
        for role, day, version, count in asked
        for _ in range(count)
    ]
    frame = pd.DataFrame(rows, columns=["role", "event_time", "model_version"])
    return frame.astype({"event_time": "datetime64[us, UTC]"})


def by_rows(*asked: tuple[str, int, int, int]) -> dict[tuple[str, int, int], int]:
    found = judged_rows(log(*asked), DAY, ENOUGH)
    days = (found["event_time"] - START).dt.days
    counted = found.groupby(["role", days, "model_version"]).size()
    return {(str(r), int(d), int(v)): int(n) for (r, d, v), n in counted.items()}


def by_parts(*asked: tuple[str, int, int, int]) -> dict[tuple[str, int, int], int]:
    parts = [
        Part(
            start=START + day * DAY,
            model_version=version,
            role=role,
            profile=Profile(rows=count, columns={}),
        )
        for role, day, version, count in asked
    ]
    return {
        (part.role, (part.start - START).days, part.model_version): part.profile.rows
        for part in judged_parts(parts, ENOUGH)
    }


@pytest.mark.parametrize("judged", [by_rows, by_parts])
def test_batches_count_where_too_few_clients_asked_for_a_verdict(judged) -> None:
    few, enough = ("primary", 0, 1, ENOUGH - 1), ("primary", 1, 1, ENOUGH)
    batches = [("batch", day, 1, 50) for day in range(3)]
    others = [("shadow", 2, 1, 5), ("canary", 2, 1, 5)]
    assert judged(few, enough, *batches, *others) == {
        ("primary", 0, 1): ENOUGH - 1,
        ("batch", 0, 1): 50,
        ("primary", 1, 1): ENOUGH,
        ("batch", 2, 1): 50,
    }


@pytest.mark.parametrize("judged", [by_rows, by_parts])
def test_clients_of_one_version_say_nothing_of_another(judged) -> None:
    assert judged(("primary", 0, 1, ENOUGH), ("batch", 0, 2, 3)) == {
        ("primary", 0, 1): ENOUGH,
        ("batch", 0, 2): 3,
    }


def test_an_empty_log_is_judged_by_nothing() -> None:
    assert judged_rows(log(), DAY, ENOUGH).empty
