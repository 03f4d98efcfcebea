"""Versioned raw data: DVC in-process, no subprocess and no git commit of ours."""

import hashlib
import json
import logging
import re
import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.atomic import ensure_folder, exclusive, write_atomically
from mlops_assets.errors import DatasetError, DatasetLockedError
from mlops_assets.records.data import DatasetVersion

# Copies, since a hard link would let a write to the workspace file corrupt the cache.
_CONFIG = """\
[core]
    analytics = false
    autostage = false
    check_update = false
    no_scm = {no_scm}
[cache]
    type = "reflink,copy"
"""


class DvcDatasets(dg.ConfigurableResource):
    """Raw data as DVC versions: the `.dvc` files at the project's root, the bytes in a cache."""

    root: str = Field(description="Project root: holds `.dvc/` and `data/<model>/`.")
    cache: str = Field(description="Folder of DVC's cache; holds every version's bytes.")
    quarantine: str = Field(description="Folder of the rows that broke the contract.")
    pinned_now: str = Field(
        "", description="ISO moment that the contract takes for now; empty: the clock."
    )

    def now(self) -> datetime:
        """The moment after which a datetime lies in the future: a repeated training pins it."""
        return datetime.fromisoformat(self.pinned_now) if self.pinned_now else datetime.now(UTC)

    def add(self, model: str, files: Sequence[Path]) -> DatasetVersion:
        """Make `files` the newest version of a model's raw data.

        One file becomes `data/<model>/raw_data<extension>`, several the folder `raw_data/`.
        Equal content gives an equal md5 and changes nothing.

        Raises:
            DatasetError: DVC refused.
            DatasetLockedError: A DVC command of somebody else holds the repository.
        """
        with self._repo() as repo:
            target = self._stage(model, files)
            out = repo.add(str(target))[0].outs[0]
            return DatasetVersion(
                md5=out.hash_info.value,
                files=tuple(sorted(file.name for file in files)),
                size_bytes=out.meta.size,
                pointer=f"data/{model}/{target.name}.dvc",
            )

    @contextmanager
    def open(self, version: DatasetVersion) -> Generator[list[Path]]:
        """The files of any version still in the cache, under their own names, read-only.

        Raises:
            DatasetError: The cache has no such version.
        """
        with tempfile.TemporaryDirectory(prefix="dataset-") as folder:
            paths = []
            for name, blob in self._blobs(version).items():
                if not blob.exists():
                    raise DatasetError(
                        f"version {version.md5} of {version.pointer} is not in the cache "
                        f"{self.cache} ({name} is missing); fetch it with `dvc pull`, or "
                        "materialize raw_data again"
                    )
                link = Path(folder, name)
                link.symlink_to(blob)
                paths.append(link)
            yield paths

    def restore(self, version: DatasetVersion, cache: Path) -> None:
        """Copy the version's bytes into another cache, each file checked against its md5.

        Raises:
            DatasetError: Files are missing or damaged; each by name with both md5s.
        """
        wrong = []
        for name, blob in self._all_blobs(version).items():
            target = cache / blob.relative_to(Path(self.cache).absolute())
            found = None
            if blob.exists():
                ensure_folder(target.parent)
                shutil.copyfile(blob, target)
                found = _md5(target)
            if found != _expected_md5(blob):
                said = f"found {found}" if found else "found no such file"
                wrong.append(f"{name}: md5 {_expected_md5(blob)} expected, {said} at {blob}")
        if wrong:
            raise DatasetError(
                f"data: version {version.md5} of {version.pointer} is damaged: {'; '.join(wrong)}; "
                "delete what is wrong and fetch it again with `dvc pull`"
            )

    def damaged_files(self, version: DatasetVersion) -> list[str]:
        """Names of the version's files that are missing from the cache or changed in it."""
        return [
            name
            for name, blob in self._all_blobs(version).items()
            if not blob.exists() or _md5(blob) != _expected_md5(blob)
        ]

    def keep_rejected(self, model: str, version: DatasetVersion, rows: pd.DataFrame) -> str:
        """Store rows that broke the contract, one file per data version, and return its path."""
        file = Path(self.quarantine, model, f"{version.md5}.parquet").absolute()
        write_atomically(file, lambda temporary: rows.to_parquet(temporary, index=False))
        return str(file)

    def _blobs(self, version: DatasetVersion) -> Mapping[str, Path]:
        if not version.md5.endswith(".dir"):
            return {version.files[0]: self._blob(version.md5)}
        listing = self._blob(version.md5)
        if not listing.exists():
            return {"the folder's listing": listing}
        try:
            entries = json.loads(listing.read_bytes())
            return {entry["relpath"]: self._blob(entry["md5"]) for entry in entries}
        except (ValueError, TypeError, KeyError) as err:
            raise DatasetError(
                f"the list of the files of version {version.md5} is damaged: {listing}; delete it "
                "and fetch it again with `dvc pull`"
            ) from err

    def _all_blobs(self, version: DatasetVersion) -> Mapping[str, Path]:
        """The files and, of a folder, its listing; that alone where it cannot be trusted."""
        if not version.md5.endswith(".dir"):
            return self._blobs(version)
        listing = self._blob(version.md5)
        named = {"the folder's listing": listing}
        if not listing.exists() or _md5(listing) != _expected_md5(listing):
            return named
        return {**named, **self._blobs(version)}

    def _blob(self, md5: str) -> Path:
        # DVC's documented cache layout: files/md5/<first two digits>/<rest>.
        return Path(self.cache, "files", "md5", md5[:2], md5[2:]).absolute()

    def _stage(self, model: str, files: Sequence[Path]) -> Path:
        """Copy the files to their place in the workspace, each whole or not at all."""
        folder = ensure_folder(Path(self.root, "data", model).absolute())
        if len(files) == 1:
            target = folder / f"raw_data{_extension(files[0])}"
            write_atomically(target, lambda temporary: shutil.copyfile(files[0], temporary))
            return target
        target = ensure_folder(folder / "raw_data")
        wanted = {file.name: file for file in files}
        if len(wanted) < len(files):
            raise DatasetError(f"several files of {model} share a name: {sorted(map(str, files))}")
        for stale in (path for path in target.iterdir() if path.name not in wanted):
            stale.unlink()
        for name, file in wanted.items():
            write_atomically(target / name, lambda temporary, f=file: shutil.copyfile(f, temporary))
        return target

    @contextmanager
    def _repo(self) -> Generator[Any]:
        """The DVC repository, created on first use; one process at a time."""
        from dvc.exceptions import DvcException  # 0.9 CPU s
        from dvc.lock import LockError
        from dvc.repo import Repo

        logging.getLogger("dvc").setLevel(logging.ERROR)  # it advises to run git commands
        root, cache = Path(self.root).absolute(), ensure_folder(Path(self.cache).absolute())
        overrides = {
            "core": {"site_cache_dir": str(cache.parent / "site"), "analytics": False},
            "cache": {"dir": str(cache)},
        }
        with exclusive(cache.parent / "lock"):
            config = root / ".dvc" / "config"
            if not config.exists():
                text = _CONFIG.format(no_scm=str(not (root / ".git").exists()).lower())
                write_atomically(config, lambda file: file.write_text(text, encoding="utf-8"))
            try:
                with Repo(str(root), config=overrides) as repo:
                    yield repo
            except LockError as err:
                raise DatasetLockedError(f"DVC in {root} is locked: {err}; run again") from err
            except DvcException as err:
                raise DatasetError(f"DVC in {root} refused: {err}") from err


def _extension(file: Path) -> str:
    """What says how `file` is written, `.csv` or `.csv.gz`, so not the date in `sales.2026.csv`."""
    found = re.search(r"(\.[a-z]\w*)?(\.(gz|zip|bz2|xz|zst))?$", file.name, re.IGNORECASE)
    return found[0] if found and found.start() else ""


def _md5(blob: Path) -> str:
    with blob.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()


def _expected_md5(blob: Path) -> str:
    """The md5 of the content, by which the cache names it."""
    return "".join(blob.parts[-2:]).removesuffix(".dir")
