"""The cells of an entity in the online table, read at once: what each says by itself."""

from datetime import UTC, datetime, timedelta
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.records.data import FeatureView, stored_name
from mlops_assets.serving.online import sqlite
from mlops_assets.serving.online.lookup import FeatureValue
from mlops_assets.serving.online.moments import spell
from mlops_assets.serving.online.sqlite import Cells

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VALUES: dict[str, Any] = {
    "float64": st.none() | st.floats() | st.sampled_from([float("inf"), -float("inf")]),
    "string": st.none() | st.text(max_size=20),
}
FEATURES = st.dictionaries(
    st.sampled_from("zyxabcMN"), st.sampled_from(["float64", "string"]), min_size=1
)


def view_of(features: dict[str, str]) -> FeatureView:
    return FeatureView.model_validate(
        {"name": "shop", "entity": {"name": "who"}, "features": features, "ttl": "31d"}
    )


def message(value: FeatureValue) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        content = value.encode()
        return bytes((0x12, len(content))) + content
    return b"\x29" + pack("<d", value)


def cells_of(values: dict[str, FeatureValue], moment: datetime) -> list[tuple[str, bytes, str]]:
    """In the order of the table."""
    found = [(stored_name(name), message(value), spell(moment)) for name, value in values.items()]
    return sorted(found)


@given(st.data(), FEATURES)
def test_any_values_are_read_as_they_are_in_the_order_of_the_view(
    data: st.DataObject, features: dict[str, str]
) -> None:
    values = {name: data.draw(VALUES[dtype]) for name, dtype in features.items()}
    found = Cells(view_of(features)).stored(cells_of(values, NOON))
    assert found is not None
    assert found.as_of == NOON
    assert [*found.features.items()] == [
        (name, value if value == value else None) for name, value in values.items()
    ]


def test_of_several_times_it_is_the_oldest_and_other_cells_are_passed_over() -> None:
    cells = Cells(view_of({"b": "float64", "a": "float64"}))
    old, older = NOON - timedelta(days=1), NOON - timedelta(days=2)
    both = [*cells_of({"a": 1.0}, old), *cells_of({"b": 2.0}, NOON)]
    found = cells.stored(both)
    assert found is not None
    assert (found.as_of, found.features) == (old, {"b": 2.0, "a": 1.0})
    assert cells.stored([*both, *cells_of({"c": 3.0}, older)]) == found
    assert cells.stored([*cells_of({"a": 1.0, "c": 3.0}, NOON)]) is None
    assert cells.stored([]) is None


def test_numbers_are_decoded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    one_by_one = sqlite.decode

    def counted(value: bytes, dtype: str) -> FeatureValue:
        decoded.append(dtype)
        return one_by_one(value, dtype)

    monkeypatch.setattr(sqlite, "decode", counted)
    features = {f"x{place}": "float64" for place in range(20)} | {"kind": "string"}
    values = {name: "a" if name == "kind" else 1.5 for name in features}
    assert Cells(view_of(features)).stored(cells_of(values, NOON))
    assert decoded == ["string"]


@pytest.mark.parametrize("sizes", [(8, 10), (0, 18), (10, 8)])
def test_messages_of_other_sizes_are_refused_also_if_they_add_up(sizes: tuple[int, int]) -> None:
    content = message(1.0) * 2
    first, second = content[: sizes[0]], content[sizes[0] :]
    cells = [("a", first, spell(NOON)), ("b", second, spell(NOON))]
    with pytest.raises(ValueError, match="is no float64 as Feast stores one"):
        Cells(view_of({"a": "float64", "b": "float64"})).stored(cells)
