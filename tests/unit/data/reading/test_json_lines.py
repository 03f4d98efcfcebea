"""JSON lines: every value as it is written, and what is none is refused with its line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import SourceError
from mlops_assets.ml.data.reading import read_table


def read(folder: Path, data: bytes, columns: list[str], **options: Any) -> pd.DataFrame:
    name = options.pop("name", "a.jsonl")
    (folder / name).write_bytes(data)
    extra = options.pop("extra", "refuse")
    source = SourceSettings.model_validate({"uri": "x", "format": "jsonl", **options})
    return read_table([folder / name], source, columns, extra)


def test_values_are_texts_as_they_are_written(tmp_path: Path):
    data = (
        b'{"id": 9007199254740993, "x": -0.3933, "k": "a,\\"b\\u00e9\\n", "y": true}\n'
        b'{"x": 1e-5, "k": "null", "id": 12345678901234567890, "y": null}\r\n'
        b'{"id": 1, "k": "", "y": false, "x": 1.50}'
    )
    frame = read(tmp_path, data, ["id", "x", "k", "y"])
    assert frame.to_dict("list") == {
        "id": ["9007199254740993", "12345678901234567890", "1"],
        "x": ["-0.3933", "1e-5", "1.50"],
        "k": ['a,"bé\n', "null", None],
        "y": ["true", None, "false"],
    }
    packed = read(tmp_path, gzip.compress(data), ["id", "x", "k", "y"], name="a.jsonl.gz")
    pd.testing.assert_frame_equal(packed, frame)


def test_what_a_line_leaves_out_is_no_value(tmp_path: Path):
    data = b'{"id":1}\n{"id":2,"x":"NA"}\n{"x":"-","id":3}\n'
    frame = read(tmp_path, data, ["id", "x"], missing=["-"])
    assert frame["x"].tolist() == [None, "NA", None]


def test_an_object_is_flattened_one_level(tmp_path: Path):
    data = (
        b'{"id":1,"user":{"age":30,"name":"A"},"tags":["x"]}\n'
        b'{"id":2,"user":null}\n{"id":3,"user":{"name":"{C}"},"note":"{not}"}\n{"id":4}\n'
    )
    frame = read(tmp_path, data, ["user.name", "id", "user.age", "note"], extra="drop")
    assert frame["user.name"].tolist() == ["A", None, "{C}", None]
    assert frame["user.age"].tolist() == ["30", None, None, None]
    assert frame["note"].tolist() == [None, None, "{not}", None]
    said = r"\'user.age\', \'user.name\'.*not in the contract|\'tags\'"
    with pytest.raises(SourceError, match=said):
        read(tmp_path, data, ["id"])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"id":1}\n{"id":\n', ["line 2", "is no JSON object"]),
        (b'{"id":1}\n7\n', ["line 2", "is no JSON object"]),
        (b'{"id":NaN}\n', ["line 1", "is no JSON object"]),
        (b'{"id":1}\n\n{"id":2}\n', ["line 2 is empty", "Delete"]),
        (b'[{"id":1},{"id":2}]\n', ["a JSON array", "one object a line", "jq"]),
        (b'{"id":1}\n{"id":[1,2]}\n', ["line 2", "'[1,2]', no plain value", "source.loader"]),
        (b'{"id":{"a":{"b":1}}}\n', ["['id'] are missing", "id.a"]),
        (b'{"ID":1}\n', ["['id'] are missing"]),
        (b"id\n1\n", ["line 1", "is no JSON object"]),
        (b'{"id":"\\ud800"}\n', ["line 1", "is no JSON"]),
        (b"", ["empty"]),
        (b'{"id":"\xe9"}\n', ["line 1", "source.encoding"]),
    ],
)
def test_what_is_no_table_of_json_lines_is_refused(tmp_path: Path, data: bytes, words: list[str]):
    with pytest.raises(SourceError) as caught:
        read(tmp_path, data, ["id"])
    for word in ["a.jsonl", *words]:
        assert word in str(caught.value)
    assert str(caught.value).endswith(".")


def test_an_object_in_one_line_and_a_number_in_another_is_refused(tmp_path: Path):
    data = b'{"id":1,"u":{"a":1}}\n{"id":2,"u":5}\n'
    with pytest.raises(SourceError, match="line 2: '5' stands where other lines have an object"):
        read(tmp_path, data, ["id", "u.a"])


def test_a_file_may_lack_what_none_of_its_rows_has(tmp_path: Path):
    (tmp_path / "a.jsonl").write_bytes(b'{"id":1,"note":"x"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"id":2}\n')
    source = SourceSettings(uri="x", format="jsonl")
    files = sorted(tmp_path.glob("*.jsonl"))
    assert read_table(files, source, ["id"], "drop")["id"].tolist() == ["1", "2"]
    with pytest.raises(SourceError, match=r"b\.jsonl: the columns \['note'\] are missing"):
        read_table(files, source, ["id", "note"], "drop")


VALUES = (
    st.none() | st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.booleans()
)


@given(st.lists(st.dictionaries(st.sampled_from("ab"), VALUES), min_size=1, max_size=30))
def test_any_row_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]):
    folder = tmp_path_factory.mktemp("rows")
    rows = [*rows, {"a": 1, "b": 2}]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    frame = read(folder, data, ["a", "b"], missing=[])
    for name in "ab":
        expected = [row.get(name) for row in rows]
        said = [v if v is None or isinstance(v, str) else json.dumps(v) for v in expected]
        assert frame[name].tolist() == said
