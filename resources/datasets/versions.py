"""Versioned raw data: DVC in-process, no subprocess and no git commit of ours.

The repository is in `resources.datasets.repository`. With a bucket every version's bytes are there
too, laid out as in a remote of DVC; the cache is what this machine has of them. They are moved by
us, since DVC's own push and pull log what fails and do not say it.
"""

import hashlib
import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from mlops_assets.errors import DatasetError
from mlops_assets.home import place
from mlops_assets.records.data import DatasetVersion
from mlops_assets.runtime.atomic import ensure_folder, require_room, write_atomically
from mlops_assets.runtime.surroundings import read_only

if TYPE_CHECKING:
    import pandas as pd


class DvcDatasets(dg.ConfigurableResource):
    """Raw data as DVC versions: `.dvc` files in DVC's own folder, the bytes in a cache."""

    root: str = Field(description="DVC's folder: holds `.dvc/` and `data/<model>/*.dvc`.")
    cache: str = Field(description="Folder of DVC's cache; holds every version's bytes.")
    quarantine: str = Field(description="Folder of the rows that broke the contract.")
    pinned_now: str = Field(
        "", description="ISO moment that the contract takes for now; empty: the clock."
    )
    bucket: str = Field("", description="Where every version's bytes are kept too: s3://NAME/...")

    def now(self) -> datetime:
        """The moment after which a datetime lies in the future: a repeated training pins it."""
        return datetime.fromisoformat(self.pinned_now) if self.pinned_now else datetime.now(UTC)

    def add(self, model: str, files: Sequence[Path], names: Sequence[str] = ()) -> DatasetVersion:
        """Make `files` the newest version of a model's raw data.

        They are kept under `names`, e.g. `year=2024/a.csv`, or their own.

        One file is known to DVC as `data/<model>/raw_data<extension>`, several as the folder
        `raw_data/`; the pointer stays, the bytes go to the cache. Equal content gives an equal md5
        and changes nothing.
        """
        named = dict(zip(names or [file.name for file in files], files, strict=True))
        if len(named) < len(files):
            raise DatasetError(f"several files of {model} share a name: {sorted(map(str, files))}")
        from resources.datasets.repository import opened

        with opened(self.root, self.cache) as repo:
            target = self._stage(model, named)
            try:
                # DVC's own notes ask sqlite again for ever where it finds no room.
                size = sum(file.stat().st_size for file in files)
                require_room(ensure_folder(Path(self.cache)), size)
                out = repo.add(str(target))[0].outs[0]
            finally:
                _remove(target)
            self._share(out.hash_info.value)
            return DatasetVersion(
                md5=out.hash_info.value,
                files=tuple(sorted(named)),
                size_bytes=out.meta.size,
                pointer=f"data/{model}/{target.name}.dvc",
                delivered_at=self.delivered_at(model, out.hash_info.value),
            )

    def delivered_at(self, model: str, md5: str) -> datetime:
        """When this content was delivered: now, unless it is what was delivered last."""
        from resources.bucket.mirror import Mirror

        note = Path(self.root, "data", model, "delivered").absolute()
        notes = Mirror(Path(self.root).absolute(), self.bucket)
        known = note.read_text(encoding="utf-8").split() if notes.get(note) else []
        if known[:1] != [md5]:
            known = [md5, self.now().replace(microsecond=0).isoformat()]
            text = " ".join(known)
            notes.write(note, lambda file: file.write_text(text, encoding="utf-8"))
        try:
            return datetime.fromisoformat(known[-1]).astimezone(UTC)
        except ValueError as err:
            raise DatasetError(
                f"{note} is damaged: it holds no moment of a delivery; delete it, and the content "
                "of now counts as delivered now"
            ) from err

    def record_in_git(self, version: DatasetVersion) -> str:
        """The command that records a version in the git repository of whoever runs it there."""
        root, pointer = place(str(Path(self.root).absolute())), version.pointer
        there = f'"{root}"' if root.startswith("$") else shlex.quote(root)
        copied = f'install -D -m 644 {pointer} "$OLDPWD"/{pointer}'
        return f"(cd {there} && {copied}) && git add {pointer}"

    @contextmanager
    def open(self, version: DatasetVersion) -> Generator[list[Path]]:
        """The files of any version still in the cache, under their own names, read-only."""
        with tempfile.TemporaryDirectory(prefix="dataset-") as folder:
            paths = []
            for name, blob in self._blobs(version).items():
                if not blob.exists():
                    raise DatasetError(
                        f"version {version.md5} of {version.pointer} is not in the cache "
                        f"{self.cache} ({name} is missing); fetch it with `dvc fetch` in "
                        f"{self.root}, or materialize raw_data again"
                    )
                link = Path(folder, name)
                ensure_folder(link.parent)
                link.symlink_to(blob)
                paths.append(link)
            yield paths

    def restore(self, version: DatasetVersion, cache: Path) -> None:
        """Copy the version's bytes into another cache, each file checked against its md5.

        What is missing or damaged is a `DatasetError` that names each file with both md5s.
        """
        wrong = []
        for name, blob in self._all_blobs(version).items():
            target = cache / blob.relative_to(Path(self.cache).absolute())
            if blob.exists():
                ensure_folder(target.parent)
                shutil.copyfile(blob, target)
            found = _md5(target) if blob.exists() else None
            if found != _expected_md5(blob):
                said = f"found {found}" if found else "found no such file"
                wrong.append(f"{name}: md5 {_expected_md5(blob)} expected, {said} at {blob}")
        if wrong:
            raise DatasetError(
                f"data: version {version.md5} of {version.pointer} is damaged: {'; '.join(wrong)}; "
                f"delete what is wrong and fetch it again with `dvc fetch` in {self.root}"
            )

    def damaged_files(self, version: DatasetVersion) -> list[str]:
        """Names of the version's files that are missing from the cache or changed in it."""
        return [
            name
            for name, blob in self._all_blobs(version).items()
            if _md5(blob) != _expected_md5(blob)
        ]

    def keep_rejected(
        self, model: str, version: DatasetVersion, rows: "pd.DataFrame | Path"
    ) -> str:
        """Store rows that broke the contract, one file per data version, and return its path.

        A file of rows is moved there.
        """
        file = Path(self.quarantine, model, f"{version.md5}.parquet").absolute()
        if isinstance(rows, Path):
            write_atomically(file, lambda temporary: shutil.move(rows, temporary))
        else:
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
            blobs = self._fetched(entry["md5"] for entry in entries)
            return {entry["relpath"]: blobs[entry["md5"]] for entry in entries}
        except (ValueError, TypeError, KeyError) as err:
            raise DatasetError(
                f"the list of the files of version {version.md5} is damaged: {listing}; delete it "
                f"and fetch it again with `dvc fetch` in {self.root}"
            ) from err

    def _all_blobs(self, version: DatasetVersion) -> Mapping[str, Path]:
        """The files and, of a folder, its listing; that alone where it cannot be trusted."""
        if not version.md5.endswith(".dir"):
            return self._blobs(version)
        listing = self._blob(version.md5)
        named = {"the folder's listing": listing}
        if _md5(listing) != _expected_md5(listing):
            return named
        return {**named, **self._blobs(version)}

    def _blob(self, md5: str) -> Path:
        return self._fetched([md5])[md5]

    def _fetched(self, md5s: Iterable[str]) -> dict[str, Path]:
        """Where contents stand in the cache; from the bucket come those that do not."""
        blobs = {md5: Path(self.cache, _key(md5)).absolute() for md5 in md5s}
        missing = {_key(md5): blob for md5, blob in blobs.items() if not blob.exists()}
        if self.bucket and missing:
            from resources.bucket.objects import Bucket

            Bucket(self.bucket).download(missing, read_only())
        return blobs

    def _share(self, md5: str) -> None:
        """Put a version into the bucket, of a folder last its listing: then it is whole there."""
        if not self.bucket:
            return
        from resources.bucket.objects import Bucket

        bucket = Bucket(self.bucket)
        if bucket.holds(_key(md5)):
            return
        listing = self._blob(md5)
        if md5.endswith(".dir"):
            contents = {_key(entry["md5"]) for entry in json.loads(listing.read_bytes())}
            bucket.upload({key: Path(self.cache, key) for key in contents})
        bucket.upload({_key(md5): listing})

    def _stage(self, model: str, files: Mapping[str, Path]) -> Path:
        """Copy the files to where DVC shall find them."""
        folder = ensure_folder(Path(self.root, "data", model).absolute())
        target = (
            folder / f"raw_data{_extension(next(iter(files.values())))}"
            if len(files) == 1
            else folder / "raw_data"
        )
        _remove(target)  # a killed process left it
        for name, file in files.items():
            copy = target if len(files) == 1 else target / name
            write_atomically(copy, lambda temporary, f=file: shutil.copyfile(f, temporary))
        return target


def _key(md5: str) -> str:
    """Where a content is, in a cache as in a remote: DVC's documented layout."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def _extension(file: Path) -> str:
    """What says how `file` is written, `.csv` or `.csv.gz`, so not the date in `sales.2026.csv`."""
    found = re.search(r"(\.[a-z]\w*)?(\.(gz|zip|bz2|xz|zst))?$", file.name, re.IGNORECASE)
    return found[0] if found and found.start() else ""


def _remove(target: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)


def _md5(blob: Path) -> str | None:
    if not blob.exists():
        return None
    with blob.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()


def _expected_md5(blob: Path) -> str:
    """The md5 of the content, by which the cache names it."""
    return "".join(blob.parts[-2:]).removesuffix(".dir")
