"""A file's bytes as a stream, decompressed as its suffix says, and UTF-8 if it is UTF-16."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from mlops_assets.errors import SourceError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@contextmanager
def opened(path: Path) -> Generator[IO[bytes]]:
    """A file for reading, decompressed as its suffix says, and UTF-8 if it is UTF-16."""
    recode = is_utf16(path)
    with _unpacked(path) as file:
        yield io.BufferedReader(_Recoded(file)) if recode else file


@contextmanager
def _unpacked(path: Path) -> Generator[IO[bytes]]:
    """A file for reading, decompressed as its suffix says."""
    suffix = path.suffix.lower()
    if suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            if len(members) != 1:
                raise SourceError(
                    f"{path}: holds {len(members)} files, and must hold one; unpack it"
                )
            with archive.open(members[0]) as file:
                yield file
        return
    if suffix == ".zst":
        with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as stream:
            yield io.BufferedReader(_Stream(stream))
        return
    openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    with openers.get(suffix, Path.open)(path, "rb") as file:
        yield file


class _Recoded(io.RawIOBase):
    """A file of UTF-16 as one of UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-16")(errors="replace")
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and (data := self._file.read(io.DEFAULT_BUFFER_SIZE)):
            self._rest = self._decoder.decode(data).encode()
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


class _Stream(io.RawIOBase):
    """An Arrow stream as a raw file of Python."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def is_utf16(path: Path) -> bool:
    """Whether a file is UTF-16, by its byte order mark; its sample is UTF-8."""
    with _unpacked(path) as file:
        return file.read(2) in _UTF16
