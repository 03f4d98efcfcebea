"""Rows as of a moment, by hand and against what a loop finds."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.ml.features.point_in_time import Ids, Rows, newest_known

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "é", None]), st.integers(-5, 5)), max_size=12)


def rows(*of: tuple[str | int | None, int]) -> Rows:
    kind = pa.int64() if any(isinstance(who, int) for who, _ in of) else pa.string()
    ids = Ids.of(pa.array([who for who, _ in of], type=kind))
    return Rows(ids, np.array([moment for _, moment in of], dtype=np.int64))


@pytest.mark.parametrize(
    ("who", "when", "ttl", "place"),
    [
        (1, 9, 5, -1),  # before all
        (1, 10, 5, 1),
        (1, 15, 5, 1),
        (1, 16, 5, -1),  # older than the TTL
        (1, 16, None, 1),
        (1, 20, 5, 3),  # of two of one moment the last
        (1, 20, 0, 3),
        (2, 19, 5, -1),
        (2, 20, 5, 2),
        (3, 20, None, -1),  # nobody
    ],
)
def test_the_newest_row_within_the_ttl(who: int, when: int, ttl: int | None, place: int) -> None:
    known = rows((1, 20), (1, 10), (2, 20), (1, 20))
    assert newest_known(rows((who, when)), known, ttl).tolist() == [place]


@given(ROWS, ROWS, st.none() | st.integers(0, 6))
def test_it_is_what_a_loop_finds(asked: list, known: list, ttl: int | None) -> None:
    expected = []
    for who, when in asked:
        fits = [
            (moment, place)
            for place, (whose, moment) in enumerate(known)
            if who is not None and whose == who and moment <= when
            if ttl is None or when - moment <= ttl
        ]
        expected.append(max(fits)[1] if fits else -1)
    assert newest_known(rows(*asked), rows(*known), ttl).tolist() == expected


@given(ROWS)
def test_the_order_is_by_moment_and_id_and_else_as_they_stand(of: list) -> None:
    expected = sorted(range(len(of)), key=lambda n: (of[n][1], of[n][0] is None, of[n][0] or ""))
    found = rows(*of).in_order()
    assert (list(range(len(of))) if found is None else found.tolist()) == expected
    assert (found is None) == (expected == sorted(expected))


def test_ids_at_the_end_of_their_range_are_told_apart() -> None:
    edges = [2**63 - 1, -(2**63), 2**53, 2**53 + 1]
    known = rows(*((who, 0) for who in edges))
    assert newest_known(rows(*((who, 0) for who in reversed(edges))), known, 0).tolist() == [
        3, 2, 1, 0
    ]  # fmt: skip


def test_its_memory_grows_with_the_rows_and_not_with_the_matches() -> None:
    """A hundred entities of 500 moments, all within the TTL: 12 million matches."""
    ids = Ids.of(pa.array(np.tile(np.arange(100), 500)))
    known = Rows(ids, np.repeat(np.arange(500), 100))
    tracemalloc.start()
    found = newest_known(known, known, 1_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.tolist() == list(range(50_000))
    assert peak / 50_000 < 150, "bytes a row"
