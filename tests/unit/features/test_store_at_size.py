"""The small form of `benchmarks.feature_store`: what is counted there, and never the time."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.feature_store.parts import SHAPES, join, join_by_feast, prepare, publish
from resources.online_table import _Table


@pytest.mark.parametrize("shape", SHAPES)
def test_each_row_is_joined_once_and_as_feast_joins_it(tmp_path: Path, shape: str) -> None:
    made = prepare(str(tmp_path), shape, 1_200)
    ours, feasts = join(str(tmp_path), shape), join_by_feast(str(tmp_path), shape)
    assert ours["asked"] == ours["joined"] == made["rows"] == 1_200
    assert (ours["joined"], ours["sum"]) == (feasts["joined"], feasts["sum"])


def test_a_publication_writes_what_is_new(tmp_path: Path) -> None:
    found = publish(str(tmp_path), 50)
    cells = {name: found[name]["cells"] for name in ("first", "same", "tenth", "all")}
    assert cells == {"first": 500, "same": 0, "tenth": 50, "all": 450}


def test_entities_as_they_were_are_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    rows = _Table._rows

    def counting(table: Any, part: Any, columns: Any) -> Any:
        written.append(len(part.keys))
        return rows(table, part, columns)

    monkeypatch.setattr(_Table, "_rows", counting)
    publish(str(tmp_path), 50)
    assert written == [1, 50, 5, 45], "the entity before all, the first, a tenth, the others"
