"""Rows as of a moment, by hand and against what a loop finds."""

import tracemalloc
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.ml.features import point_in_time
from mlops_assets.ml.features.point_in_time import Ids, Rows, newest_known

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "é", None]), st.integers(-5, 5)), max_size=12)


BLOCKS = st.sampled_from([1, 2, 3, point_in_time._BLOCK])


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


@given(ROWS, ROWS, st.none() | st.integers(0, 6), st.booleans(), BLOCKS)
def test_it_is_what_a_loop_finds(
    asked: list, known: list, ttl: int | None, in_order: bool, block: int
) -> None:
    if in_order:  # as the graph has them, by moments alone
        asked, known = (sorted(of, key=lambda row: row[1]) for of in (asked, known))
    expected = []
    for who, when in asked:
        fits = [
            (moment, place)
            for place, (whose, moment) in enumerate(known)
            if who is not None and whose == who and moment <= when
            if ttl is None or when - moment <= ttl
        ]
        expected.append(max(fits)[1] if fits else -1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(point_in_time, "_BLOCK", block)
        assert newest_known(rows(*asked), rows(*known), ttl).tolist() == expected


@given(ROWS, BLOCKS)
def test_the_order_is_by_moment_and_id_and_else_as_they_stand(of: list, block: int) -> None:
    expected = sorted(range(len(of)), key=lambda n: (of[n][1], of[n][0] is None, of[n][0] or ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(point_in_time, "_BLOCK", block)
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
    """A thousand entities of 500 moments, all within the TTL: 125 million matches."""
    ids = Ids.of(pa.array(np.tile(np.arange(1_000), 500)))
    known = Rows(ids, np.repeat(np.arange(500), 1_000))
    tracemalloc.start()
    found = newest_known(known, known, 1_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (found == np.arange(500_000)).all()
    assert peak < 8 * 500_000 + 160 * point_in_time._BLOCK, "what is found, and of a block"


def test_no_more_than_a_block_is_put_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the work of ten times the rows is ten times the work, however they are mixed."""
    monkeypatch.setattr(point_in_time, "_BLOCK", 100)
    sorted_at_once, argsort = list[int](), np.argsort

    def counting(of: np.ndarray, **how: Any) -> np.ndarray:
        sorted_at_once.append(len(of))
        return argsort(of, **how)

    monkeypatch.setattr(np, "argsort", counting)
    for asked, known in ((1_000, 1_000), (10, 5_000), (5_000, 10)):
        ids = Ids.of(pa.array(np.arange(known) % 7))
        asking = Rows(Ids.of(pa.array(np.arange(asked) % 7)), np.arange(asked) * known // asked)
        found = newest_known(asking, Rows(ids, np.arange(known)), None)
        assert (found[-1] - asking.ids.codes[-1]) % 7 == 0
    assert 0 < max(sorted_at_once) <= 100
