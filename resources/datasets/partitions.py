"""What is kept of a partitioned model's data, so that a run reads and checks what is new only.

All of it can be made again of the source, or of the data versions that `resources.datasets` keeps:
a folder that is gone costs one run that reads and checks everything.
"""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import dagster as dg
from pydantic import Field

from mlops_assets.blocks.base import Record, one_line
from mlops_assets.config import ModelSettings
from mlops_assets.errors import StateError
from mlops_assets.ml import data
from mlops_assets.ml.data.sources import content_md5
from mlops_assets.runtime.atomic import write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

    from mlops_assets.ml.data.contract import Checked
    from mlops_assets.ml.data.piecewise.partitions import CheckedPart, Delivery, ReadFile

_Kept = TypeVar("_Kept", bound=Record)
EMPTY = "empty"
"""The version of a partition without rows."""
_UNDATED = "undated"


class PartFacts(Record):
    """What is known of the checked rows of a partition."""

    made_of: str
    """The rows, and the rules."""
    files: list[str]
    good: int
    bad: int
    again: bool
    """A row of it was too early: it is checked again each time."""


class Announced(Record):
    """What was materialized last."""

    assets: dict[str, dict[str, str]] = Field({}, description="Asset -> partition -> version.")


class Read(NamedTuple):
    """A delivery, and which of its files were read for it."""

    delivery: "Delivery"
    new: list[str]


class Renewed(NamedTuple):
    """All rows of a delivery, checked; and which partitions were checked for it."""

    rows: "Checked"
    new: list[str]
    versions: dict[str, str]
    counts: dict[str, int]
    """Partition -> rows that keep the contract."""


class PartitionFiles(dg.ConfigurableResource):
    """Files that were read, by partition, and partitions that were checked."""

    root: str = Field(description="Folder of both, for each model; deleting it costs time only.")

    def read(self, settings: ModelSettings, files: Mapping[str, Path]) -> Read:
        """What the files hold, by partition; only those that are new or changed are read.

        Args:
            settings: Of a model with partitions.
            files: Name in a version -> file, in their order.

        Raises:
            SourceError: A file cannot be read, or is not as the others.
            ContractError: Two files differ in the UTC offset of a column.
        """
        from mlops_assets.ml.data.piecewise.partitions import Delivery

        new, found = [], {}
        for name, path in files.items():
            kept = self._read_file(settings, name, path)
            if not kept.exists():
                _keep_split(kept, path, settings)
                new.append(name)
            found[name] = _load_split(kept)
        delivery = Delivery(found)
        delivery.require_one_source(settings)
        return Read(delivery, new)

    def check(
        self,
        settings: ModelSettings,
        files: Mapping[str, Path],
        asked: Collection[str],
        now: datetime,
    ) -> Renewed:
        """The rows of a version by the contract; only partitions that changed are checked.

        Args:
            settings: Of a model with partitions.
            files: As in `read`, which is done first.
            asked: Partitions to check in any case.
            now: As in `enforce`.

        Raises:
            SourceError: As `read`.
            ContractError: As `enforce`.
        """
        from mlops_assets.ml.data.piecewise.partitions import together

        delivery, new = self.read(settings, files).delivery, []
        folder, parts, versions, counts = self._folder(settings, "checked"), [], {}, {}
        for key, rows in delivery.versions.items():
            made_of, facts = f"{rows}-{_made_by(settings)}", _facts(folder, key)
            if facts is None or facts.made_of != made_of or facts.again or key in asked:
                facts = self._check(settings, files, delivery, key, made_of, now)
                new.append(key)
            parts.append(_load_part(folder, key, facts))
            versions[key], counts[key] = f"{facts.made_of}-{facts.bad}", facts.good
        for gone in {file.stem for file in folder.glob("*.json")} - {_stem(k) for k in versions}:
            _forget(folder, gone)
        return Renewed(together(parts, delivery), new, versions, counts)

    def changed(
        self, settings: ModelSettings, asset: str, versions: Mapping[str, str]
    ) -> list[str]:
        """The partitions of an asset that are not what was announced last."""
        known = self._announced(settings).assets.get(asset, {})
        return sorted(k for k in {*known, *versions} if known.get(k) != versions.get(k, EMPTY))

    def announce(self, settings: ModelSettings, asset: str, versions: Mapping[str, str]) -> None:
        """Note what the partitions of an asset are now."""
        before = self._announced(settings).assets
        text = Announced(assets={**before, asset: dict(versions)}).model_dump_json()
        file = self._folder(settings, "announced.json")
        write_atomically(file, lambda path: path.write_text(text, encoding="utf-8"))

    def tidy(self, settings: ModelSettings, files: Mapping[str, Path]) -> None:
        """Forget the files that a delivery has no more."""
        used = {self._read_file(settings, name, path).stem for name, path in files.items()}
        for kept in self._folder(settings, "read").glob("*.*"):
            if kept.stem not in used:
                kept.unlink(missing_ok=True)

    def _check(
        self,
        settings: ModelSettings,
        files: Mapping[str, Path],
        delivery: "Delivery",
        key: str,
        made_of: str,
        now: datetime,
    ) -> PartFacts:
        from mlops_assets.ml.data.piecewise.partitions import checked_part

        kept = {
            name: self._read_file(settings, name, files[name]) for name in delivery.files_of(key)
        }
        pieces = {name: _load_rows(file, delivery.files[name], key) for name, file in kept.items()}
        part = checked_part(pieces, delivery, settings, now)
        facts = PartFacts(
            made_of=made_of,
            files=part.files,
            good=len(part.good),
            bad=0 if part.bad is None else len(part.bad),
            again=part.is_early,
        )
        _keep_part(self._folder(settings, "checked"), key, part, facts)
        return facts

    def _folder(self, settings: ModelSettings, name: str) -> Path:
        return Path(self.root, settings.name, name)

    def _read_file(self, settings: ModelSettings, name: str, path: Path) -> Path:
        """Where what was read of a file is kept: by its content, its name, and how it is read."""
        known = f"{content_md5(path).hex()} {name} {_made_by(settings)}"
        digest = hashlib.sha256(known.encode()).hexdigest()[:32]
        return self._folder(settings, "read") / f"{digest}.json"

    def _announced(self, settings: ModelSettings) -> Announced:
        file = self._folder(settings, "announced.json")
        return _parsed(Announced, file) if file.exists() else Announced()


def _made_by(settings: ModelSettings) -> str:
    """What else than the rows makes what is kept: the YAML, and our code that reads and checks."""
    known = f"{settings.processed_by} {settings.partitions} {_code()}"
    return hashlib.sha256(known.encode()).hexdigest()[:12]


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for file in sorted(Path(data.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _keep_split(kept: Path, path: Path, settings: ModelSettings) -> None:
    import pyarrow as pa

    from mlops_assets.ml.data.piecewise.partitions import split

    known, batches = split(path, settings)

    def write(file: Path) -> None:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with (
            pa.OSFile(str(file), "wb") as sink,
            pa.ipc.new_file(sink, batches[0].schema, options=options) as writer,
        ):
            for batch in batches:
                writer.write_batch(batch)

    write_atomically(kept.with_suffix(".arrow"), write)
    text = known.model_dump_json()
    write_atomically(kept, lambda file: file.write_text(text, encoding="utf-8"))


def _load_split(kept: Path) -> "ReadFile":
    from mlops_assets.ml.data.piecewise.partitions import ReadFile

    return _parsed(ReadFile, kept)


def _load_rows(kept: Path, known: "ReadFile", key: str) -> "pa.Table":
    import pyarrow as pa

    first = 0
    for other, part in known.parts.items():
        if other == key:
            break
        first += part.batches
    with pa.OSFile(str(kept.with_suffix(".arrow"))) as source, pa.ipc.open_file(source) as reader:
        return pa.Table.from_batches(
            [reader.get_batch(first + n) for n in range(known.parts[key].batches)]
        )


def _keep_part(folder: Path, key: str, part: "CheckedPart", facts: PartFacts) -> None:
    stem = _stem(key)
    _forget(folder, stem)  # or, ended between the files, it would be half of each
    write_atomically(folder / f"{stem}.rows.parquet", part.good.to_parquet)
    if part.bad is not None:
        write_atomically(folder / f"{stem}.bad.parquet", part.bad.to_parquet)
    text = facts.model_dump_json()
    write_atomically(folder / f"{stem}.json", lambda file: file.write_text(text, encoding="utf-8"))


def _load_part(folder: Path, key: str, facts: PartFacts) -> "CheckedPart":
    import pandas as pd

    from mlops_assets.ml.data.piecewise.partitions import CheckedPart

    stem = _stem(key)
    good = pd.read_parquet(folder / f"{stem}.rows.parquet")
    bad = pd.read_parquet(folder / f"{stem}.bad.parquet") if facts.bad else None
    return CheckedPart(facts.files, good, bad)


def _facts(folder: Path, key: str) -> PartFacts | None:
    file = folder / f"{_stem(key)}.json"
    return _parsed(PartFacts, file) if file.exists() else None


def _forget(folder: Path, stem: str) -> None:
    for ending in ("json", "rows.parquet", "bad.parquet"):
        (folder / f"{stem}.{ending}").unlink(missing_ok=True)


def _stem(key: str) -> str:
    return key or _UNDATED


def _parsed(kind: type[_Kept], file: Path) -> _Kept:
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as err:
        raise StateError(
            f"{file} cannot be read: {one_line(err)}; delete the folder {file.parent}, which can "
            "be made again, and run again"
        ) from err
