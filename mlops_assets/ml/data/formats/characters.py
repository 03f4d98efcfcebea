"""A file -> its bytes, decompressed, and those of a text as UTF-8: as declared, or refused."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pyarrow as pa

from mlops_assets.errors import SourceError

DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error, zipfile.BadZipFile, lzma.LZMAError)
"""What the readers of archives raise."""
NO_TEXT = {
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
    (
        b"SQLite format 3\0",
    ): "a SQLite database; write `source.database: sqlite:///FILE` and its `table`",
}
"""How files of other kinds begin, which people name *.csv."""


_UTF8 = "the file is UTF-8. Set `source.encoding: utf-8`, or write it as the one declared"


def read_text(path: Path, encoding: str) -> bytes:
    """Content of a text file as UTF-8, decompressed, without a byte order mark.

    Raises:
        SourceError: It cannot be read, is empty, is of another kind, or is not of the encoding.
    """
    where, data = str(path), read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        refuse(where, "the file is empty. Fetch it again")
    found = next((what for start, what in NO_TEXT.items() if data.startswith(start)), None)
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


NO_ROWS = "Fetch or write the file again; one of a time without events belongs in no source"
"""The remedy for a file without rows: it may be damaged, so nobody takes it for one of none."""


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
        if _is_utf8(data):
            refuse(where, _UTF8)
        line, value = data.count(b"\n", 0, err.start) + 1, data[err.start : err.end]
        remedy = "Set `source.encoding` to what it is, e.g. cp1252, or fetch the file again"
        refuse(where, f"line {line}: {value!r} is no {encoding.upper()}. {remedy}")
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        return data
    if len(text) == len(data) and _is_utf8(data):  # of a byte a character, which all can be read as
        refuse(where, _UTF8)
    return text.removeprefix("\ufeff").encode()


def _is_utf8(data: bytes) -> bool:
    """Whether it can be nothing else: what other encodings write beyond ASCII is hardly UTF-8."""
    try:
        return len(data.decode()) < len(data)
    except UnicodeDecodeError:
        return False


def read_bytes(path: Path) -> bytes:
    """Content of `path`; that of an archive if it ends in .gz, .bz2, .xz, .zst or .zip.

    Raises:
        SourceError: It is not there, cannot be read, or is damaged.
    """
    unpack = _UNPACK.get(path.suffix.lower())
    try:
        return path.read_bytes() if unpack is None else unpack(path)
    except FileNotFoundError as err:
        raise SourceError(f"{path}: there is no such file. Check `source.uri`.") from err
    except DAMAGED as err:
        raise _damaged(path, err) from err
    except (OSError, ValueError, RuntimeError, NotImplementedError) as err:
        # The last two are zipfile's refusals. bz2 and zstd say by the others that a file is
        # damaged; only what the system says has a number.
        if unpack and not getattr(err, "errno", None) and not isinstance(err, RuntimeError):
            raise _damaged(path, err) from err
        raise SourceError(f"{path}: cannot be read: {err}. Make it a readable plain file.") from err


def _damaged(path: Path, err: Exception) -> SourceError:
    return SourceError(
        f"{path}: the {path.suffix} archive is damaged or cut short ({err}). Fetch the file again."
    )


def _zst(path: Path) -> bytes:
    with pa.OSFile(str(path)) as file, pa.CompressedInputStream(file, "zstd") as stream:
        return stream.read()


def _zip(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        members = [info.filename for info in archive.infolist() if not info.is_dir()]
        if len(members) != 1:
            raise SourceError(
                f"{path}: holds {len(members)} files {members[:5]}, and must hold one. "
                "Unpack it and name the files by a glob."
            )
        return archive.read(members[0])


_UNPACK: dict[str, Callable[[Path], bytes]] = {
    ".gz": lambda path: gzip.decompress(path.read_bytes()),
    ".bz2": lambda path: bz2.decompress(path.read_bytes()),
    ".xz": lambda path: lzma.decompress(path.read_bytes()),
    ".zst": _zst,
    ".zip": _zip,
}
