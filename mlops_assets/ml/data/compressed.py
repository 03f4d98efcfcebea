"""A file's content, decompressed in memory as the end of its name says."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from mlops_assets.errors import SourceError

_DAMAGED = (gzip.BadGzipFile, EOFError, zlib.error, zipfile.BadZipFile, lzma.LZMAError)


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
    except _DAMAGED as err:
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
