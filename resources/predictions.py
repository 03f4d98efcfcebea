"""The prediction log: what the endpoints wrote, kept as one Parquet file per model and day.

The endpoint writes `<endpoints>/<model>/predictions/<date>-<pid>-<n>.jsonl`. `compact` takes over
the files that are closed and leaves `<file>.done` beside each: from then on it may be deleted. The
marker comes after the Parquet is durable, and rows that are there already are dropped, so a crash
at any point neither loses a row nor doubles one.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
from pydantic import Field

from mlops_assets.atomic import exclusive, make_durable, write_atomically
from mlops_assets.errors import PredictionLogError
from mlops_assets.ml.log_lines import LogLine, parse
from mlops_assets.ml.prediction_log import combine, to_frame, without_duplicates
from mlops_assets.records.monitoring import LogSummary

_EPOCH = datetime.fromtimestamp(0, UTC)
_BATCH_BYTES = 50_000_000
"""How much of the endpoint's files is taken over at once: some 500 MB of memory."""

_CLOCK_ERROR_SECONDS = 2.0
"""How far a process's start, as the system tells it, may be off."""


@dataclass(frozen=True)
class _Batch:
    """What became of some files."""

    rows: int
    torn_lines: int
    duplicates: int
    days: list[str]
    newest: datetime | None


class PredictionLog(dg.ConfigurableResource):
    """Reads and compacts the logs of all models."""

    endpoints: str = Field(description="Folder of the endpoints, one folder for each model.")
    root: str = Field(description="Folder of the daily Parquet files, one folder for each model.")

    def read(self, model: str, start: datetime, end: datetime) -> pd.DataFrame:
        """Rows with `start <= event_time < end` in order of event time, compacted or not yet.

        Columns as in `ml.prediction_log`; all roles; no key twice.

        Raises:
            PredictionLogError: A file holds what no version of the endpoint writes.
        """
        # The endpoint's files first: one that is compacted and deleted meanwhile is found below.
        lines = [
            line
            for content in self._contents(model)
            for line in parse(content[1], str(content[0])).lines
            if start.timestamp() <= line.event_time < end.timestamp()
        ]
        first, last = (f"{moment.astimezone(UTC):%Y-%m-%d}" for moment in (start, end))
        days = [p for p in self._days(model) if first <= p.stem <= last]
        rows = without_duplicates(
            combine([*map(pd.read_parquet, days), to_frame(lines, self._classes(model, lines))])
        )
        inside = (rows["event_time"] >= start) & (rows["event_time"] < end)
        return rows[inside].reset_index(drop=True)

    def recent(self, model: str, span: timedelta) -> pd.DataFrame:
        """The rows of the last `span` of event time, up to and with the newest row of all.

        Raises:
            PredictionLogError: A file holds what no version of the endpoint writes.
        """
        newest = self.newest(model)
        if newest is None:
            return self.read(model, _EPOCH, _EPOCH)
        return self.read(model, newest - span, newest + timedelta(microseconds=1))

    def newest(self, model: str) -> datetime | None:
        """Event time of the newest row; None where there is none."""
        times = [
            datetime.fromtimestamp(max(line.event_time for line in lines), UTC)
            for path, content in self._contents(model)
            if (lines := parse(content, str(path)).lines)
        ]
        for day in self._days(model)[-1:]:
            stored = pd.read_parquet(day, columns=["event_time"])["event_time"]
            times.append(stored.max().to_pydatetime())
        return max(times, default=None)

    def compact(self, model: str) -> LogSummary:
        """Take over every closed file; doing it twice changes nothing.

        Raises:
            PredictionLogError: A file holds what no version of the endpoint writes.
        """
        with exclusive(Path(self.root, model) / "compact.lock"):
            files = [file for file in self._files(model) if is_closed(file)]
            done = [self._take_over(model, batch) for batch in _batches(files)]
            open_files = len(self._files(model))
        newest = [one.newest for one in done if one.newest is not None]
        return LogSummary(
            model=model,
            files=len(files),
            open_files=open_files,
            rows=sum(one.rows for one in done),
            torn_lines=sum(one.torn_lines for one in done),
            duplicates=sum(one.duplicates for one in done),
            days=tuple(sorted({day for one in done for day in one.days})),
            newest=max(newest, default=None),
        )

    def _take_over(self, model: str, files: Sequence[Path]) -> "_Batch":
        contents = {file: file.read_bytes() for file in files}
        parsed = [parse(content, str(file)) for file, content in contents.items()]
        lines = [line for one in parsed for line in one.lines]
        new = to_frame(lines, self._classes(model, lines))
        added, days = self._merge(Path(self.root, model), new)
        self._mark(contents)
        return _Batch(
            rows=added,
            torn_lines=sum(one.torn for one in parsed),
            duplicates=len(lines) - added,
            days=days,
            newest=new["event_time"].max().to_pydatetime() if len(new) else None,
        )

    def _merge(self, folder: Path, new: pd.DataFrame) -> tuple[int, list[str]]:
        """Write each day's old and new rows; the number of rows added, and the days."""
        added, days = 0, []
        for day, rows in new.groupby(new["event_time"].dt.strftime("%Y-%m-%d")):
            path = folder / f"{day}.parquet"
            old = [pd.read_parquet(path)] if path.exists() else []
            # Old rows first, so that they are the ones that stay.
            merged = without_duplicates(combine([*old, rows]))
            added += len(merged) - sum(map(len, old))
            write_atomically(path, lambda file, merged=merged: merged.to_parquet(file, index=False))
            days.append(str(day))
        if days:
            make_durable(folder)
        return added, days

    def _mark(self, contents: Mapping[Path, bytes]) -> None:
        for file, content in contents.items():
            size = str(len(content))
            write_atomically(_marker(file), lambda path, size=size: path.write_text(size))
            make_durable(file.parent)

    def _days(self, model: str) -> list[Path]:
        return sorted(Path(self.root, model).glob("*.parquet"))

    def _files(self, model: str) -> list[Path]:
        """The endpoint's files that are not compacted, by name."""
        found = sorted(Path(self.endpoints, model, "predictions").glob("*.jsonl"))
        return [file for file in found if not _is_done(file)]

    def _contents(self, model: str) -> Iterator[tuple[Path, bytes]]:
        for file in self._files(model):
            try:
                yield file, file.read_bytes()
            except FileNotFoundError:  # compacted and deleted since we looked
                continue

    def _classes(self, model: str, lines: list[LogLine]) -> dict[int, list[str]]:
        """Labels of each version in `lines` that answers several scores."""
        versions = {line.model_version for line in lines if len(line.scores) > 1}
        return {number: self._labels(model, number) for number in versions}

    def _labels(self, model: str, version: int) -> list[str]:
        path = Path(self.endpoints, model, "versions", str(version), "servable.json")
        try:
            return json.loads(path.read_bytes())["classes"]
        except (OSError, ValueError, KeyError) as err:
            raise PredictionLogError(
                f"cannot read the classes of version {version} in {path}: {err}; restore it"
            ) from err


def _batches(files: Iterable[Path]) -> Iterator[list[Path]]:
    """Yield the files in groups of some size, in order."""
    batch, size = [], 0
    for file in files:
        batch.append(file)
        size += file.stat().st_size
        if size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def is_closed(file: Path) -> bool:
    """Whether nobody appends to the file any more.

    The writer goes on to the next number of its pid, or it died, or its pid is another's by now.
    """
    import psutil

    _date, pid, number = file.stem.rsplit("-", 2)
    later = (other.stem.rsplit("-", 1)[1] for other in file.parent.glob(f"*-{pid}-*.jsonl"))
    if any(int(other) > int(number) for other in later):
        return True
    try:
        started = psutil.Process(int(pid)).create_time()
    except psutil.NoSuchProcess:
        return True
    return started > file.stat().st_mtime + _CLOCK_ERROR_SECONDS


def _marker(file: Path) -> Path:
    return file.with_name(f"{file.name}.done")


def _is_done(file: Path) -> bool:
    """Whether all that the file holds is compacted; the marker says how much that was."""
    try:
        return _marker(file).read_text() == str(file.stat().st_size)
    except FileNotFoundError:
        return False
