"""Bytes of a text file -> the same text as UTF-8, strictly: as declared, or refused by name."""

from pathlib import Path
from typing import NoReturn

from mlops_assets.errors import SourceError
from mlops_assets.ml.data.compressed import read_bytes

_NO_TEXT = {
    (b"\x1f\x8b",): "gzip; name it *.gz",
    (b"BZh91AY",): "bzip2; name it *.bz2",
    (b"\xfd7zXZ",): "xz; name it *.xz",
    (b"\x28\xb5\x2f\xfd",): "Zstandard; name it *.zst",
    (b"PAR1\x15",): "Parquet; set `source.format: parquet`",
    (b"PK\x03\x04",): "a zip archive or an Excel workbook; name it *.zip, or set "
    "`source.format: excel`",
    (b"\xd0\xcf\x11\xe0",): "an Excel workbook; set `source.format: excel`",
    (b"\x89PNG", b"\xff\xd8\xff", b"%PDF-"): "a picture or PDF; see what `source.uri` names",
    (b"<!DOCTYPE", b"<!doctype", b"<html"): "a web page of a failed download; fetch it again",
    (b"SQLite format 3\0",): "a SQLite database; read it by a `source.loader`",
}
"""How files of other kinds begin, which people name *.csv."""


def read_text(path: Path, encoding: str) -> bytes:
    """Content of a text file as UTF-8, decompressed, without a byte order mark.

    Raises:
        SourceError: It cannot be read, is empty, is of another kind, or is not of the encoding.
    """
    where, data = str(path), read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        refuse(where, "the file is empty. Fetch it again")
    found = next((what for start, what in _NO_TEXT.items() if data.startswith(start)), None)
    if found:
        refuse(where, f"begins with {data[:8]!r}, so it is no table but {found}")
    data = _as_utf8(data, encoding, where)
    if (at := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, at) + 1
        refuse(where, f"line {line}: a NUL byte '\\x00'. The file is damaged; fetch it again")
    return data


def clip(text: str) -> str:
    """A text as a message shows it: quoted, and not for pages."""
    return repr(text if len(text) <= 120 else f"{text[:120]}...")


def refuse(where: str, what: str) -> NoReturn:
    """Refuse a file.

    Raises:
        SourceError: Always: the file, and what is wrong with it.
    """
    raise SourceError(f"{where}: {what}.")


def _as_utf8(data: bytes, encoding: str, where: str) -> bytes:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as err:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            refuse(where, "the file is UTF-16. Set `source.encoding: utf-16`")
        line, value = data.count(b"\n", 0, err.start) + 1, data[err.start : err.end]
        remedy = "Set `source.encoding` to what it is, e.g. cp1252, or fetch the file again"
        refuse(where, f"line {line}: {value!r} is no {encoding.upper()}. {remedy}")
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        return data
    return text.removeprefix("\ufeff").encode()
