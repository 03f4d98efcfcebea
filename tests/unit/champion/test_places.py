"""Each version has one place, whatever the history."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.records.promotion import Promotion
from resources.champion.places import places

MOVES = st.lists(st.tuples(st.integers(1, 5), st.sampled_from(["gate", "rollback"])), min_size=1)


def history(moves: list[tuple[int, str]]) -> list[Promotion]:
    rows, before = list[Promotion](), None
    for version, why in moves:
        if version != before:
            rows.append(
                Promotion(
                    model="shop",
                    to_version=version,
                    from_version=before,
                    who="ada",
                    why=why,
                    sequence=len(rows) + 1,
                    time=datetime(2026, 1, 1, tzinfo=UTC),
                )
            )
        before = version
    return rows


@given(moves=MOVES)
def test_the_head_is_champion_and_what_it_left_is_told(moves: list[tuple[int, str]]) -> None:
    rows = history(moves)
    found = places(rows)
    head = rows[-1]
    assert [n for n, place in found.items() if place == "champion"] == [head.to_version]
    assert found.keys() == {row.to_version for row in rows}
    left = "rolled back" if head.is_rollback else "previous champion"
    if head.from_version is not None:
        assert found[head.from_version] == left
    assert [*found.values()].count("previous champion") <= 1


@given(moves=MOVES)
def test_a_move_changes_the_places_of_the_last_three_alone(moves: list[tuple[int, str]]) -> None:
    rows = history(moves)
    before, after = places(rows[:-1]), places(rows)
    changed = {n for n in after if after[n] != before.get(n)}
    assert changed <= {*list(after)[-3:]}
