"""The files of a table: which they are, what their names say of them, and some of many."""

import re
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from mlops_assets.errors import SourceError
from mlops_assets.ml.data.sources import find_files

_MOST_FILES = 8
_COMPRESSED = (".gz", ".zip", ".bz2", ".xz", ".zst")
_SUFFIXES = (".csv", ".tsv", ".txt", ".data", ".jsonl", ".ndjson", ".parquet", ".pq")
_SHEETS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")


def find_data(data: str) -> tuple[str, list[Path]]:
    """The URI of the source as a YAML names it, and its files: a folder becomes a glob.

    Raises:
        SourceError: Nothing is there, or a folder holds tables of several kinds.
    """
    folder = Path(data).expanduser()
    if "://" in data or not folder.is_dir():
        return data, find_files(data)
    tables = (*_SUFFIXES, *_SHEETS)
    found = {
        "".join(part for part in path.suffixes if part.lower() in (*tables, *_COMPRESSED))
        for path in folder.rglob("*")
        if path.is_file() and _kind(path) in tables
    }
    if len(found) != 1:
        what = f"tables of several kinds, {sorted(found)}" if found else "no table"
        raise SourceError(
            f"the folder {data} holds {what}; name the files by a glob, e.g. '{folder / '*.csv'}'"
        )
    deep = not any(folder.glob(f"*{next(iter(found))}"))
    uri = str(folder / ("**" if deep else ".") / f"*{next(iter(found))}")
    return uri, find_files(uri)


def partition_names(files: Sequence[Path]) -> list[str]:
    """What the folders of every file say of its rows: of `year=2024/month=01/a.csv` two names."""
    found = [
        [folder.name.partition("=")[0] for folder in takewhile(_says_something, path.parents)]
        for path in files
    ]
    alike = len(files) > 1 and all(names == found[0] for names in found)
    return found[0][::-1] if alike else []


def _says_something(folder: Path) -> bool:
    return re.match("[^=]+=", folder.name) is not None


def is_workbook(path: Path) -> bool:
    """Whether a file is one of sheets, by its name."""
    return path.suffix.lower() in _SHEETS


def is_packed(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    return path.suffix.lower() in _COMPRESSED


def is_parquet(path: Path, head: bytes) -> bool:
    """Whether a file is one of Parquet, whatever its name."""
    return head.startswith(b"PAR1") or _kind(path) in (".parquet", ".pq")


def some_of(files: Sequence[Path]) -> list[Path]:
    """The first file, the last, and some between."""
    if len(files) <= _MOST_FILES:
        return list(files)
    step = (len(files) - 1) / (_MOST_FILES - 1)
    return [files[round(step * at)] for at in range(_MOST_FILES)]


def _kind(path: Path) -> str:
    """The suffix that says what a file holds."""
    name = path.with_suffix("") if path.suffix.lower() in _COMPRESSED else path
    return name.suffix.lower()
