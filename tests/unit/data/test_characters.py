"""A file of another encoding than is declared: refused, and said which it is."""

from pathlib import Path

import pytest

from mlops_assets.errors import SourceError
from mlops_assets.ml.data.formats.characters import read_text

TEXT = "name,price\nMüller,5 €\n"


@pytest.mark.parametrize("declared", ["cp1252", "latin-1", "iso8859-15", "ascii"])
def test_a_utf8_file_of_a_source_that_is_declared_otherwise(declared: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(TEXT.encode())
    with pytest.raises(SourceError, match=r"the file is UTF-8. Set `source.encoding: utf-8`"):
        read_text(file, declared)


@pytest.mark.parametrize("declared", ["cp1252", "iso8859-15", "utf-16", "utf-8", "gb18030"])
@pytest.mark.parametrize("text", [TEXT, "name\nMuller\n"])
def test_a_file_that_is_as_declared(declared: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(text.encode(declared))
    assert read_text(file, declared).decode() == text


def test_a_file_of_neither(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(TEXT.encode("cp1252"))
    with pytest.raises(SourceError, match=r"line 2: b'\\xfc' is no UTF-8. Set `source.encod"):
        read_text(file, "utf-8")
