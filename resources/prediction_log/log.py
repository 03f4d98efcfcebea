"""The prediction log: what the endpoints wrote, kept as one Parquet file per model and day.

A batch is a file of its own beside it: `resources.prediction_log.batches`.

The endpoint writes `<endpoints>/<model>/predictions/<date>-<pid>-<n>.jsonl`, a pod with its name
before the pid. `compact` takes over the files that are closed and leaves `<file>.done` beside each:
from then on it may be deleted. The marker comes after the Parquet is durable, and rows that are
there already are dropped, so a crash at any point neither loses a row nor doubles one.
"""

import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from mlops_assets.ml.inference.log_lines import LogLine, parse
from mlops_assets.records.files import LOG_FOLDER, SERVABLE_FILE, VERSIONS_FOLDER
from mlops_assets.records.monitoring import LogSummary, Window
from mlops_assets.records.profile import Counting, Part
from mlops_assets.runtime.atomic import exclusive, make_durable, write_atomically
from resources.prediction_log.batches import BatchLog
from resources.prediction_log.day_profiles import day_parts

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

_EPOCH = datetime.fromtimestamp(0, UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
_LOCK = "compact.lock"
_GROUP_BYTES = 50_000_000
"""How much of the endpoint's files is taken over at once: some 500 MB of memory."""
_CLOCKS_APART = timedelta(minutes=10)
"""How much the clocks of two machines may differ."""
_CLOCK_ERROR_SECONDS = 2.0
"""How far a process's start, as the system tells it, may be off."""


class PredictionLog(dg.ConfigurableResource):
    """Reads and compacts the logs of all models.

    What no version of the endpoint writes is a `PredictionLogError`, whoever comes upon it.

    >>> log = PredictionLog(endpoints="endpoints", root="predictions")
    >>> len(log.recent("customers", timedelta(days=7), timedelta(days=1)))
    0
    """

    endpoints: str = Field(description="Folder of the endpoints, one folder for each model.")
    root: str = Field(description="Folder of the daily Parquet files, one folder for each model.")

    def read(self, model: str, start: datetime, end: datetime) -> "pd.DataFrame":
        """Rows with `start <= event_time < end` in order of event time, compacted or not yet.

        Columns as in `ml.monitoring.prediction_log`; all roles; no key twice.
        """
        from resources.prediction_log.days import read_between

        # The endpoint's files first: one that is compacted and deleted meanwhile is found below.
        fresh = self._fresh(model, start, end)
        first, last = (f"{moment.astimezone(UTC):%Y-%m-%d}" for moment in (start, end))
        days = [p for p in self._days(model) if first <= p.stem[:10] <= last]
        return read_between(days, fresh, start, end)

    def request(self, model: str, request_id: str) -> "pd.DataFrame":
        """All rows of one request, in their order; none if it is in no file, compacted or not."""
        from resources.prediction_log.days import rows_of_request

        found = self._fresh(model, _EPOCH, _NEVER)
        found = found[found["request_id"] == request_id]
        for day in reversed(self._days(model)):  # as a rule somebody asks for a new one
            if len(found):
                break
            found = rows_of_request(day, request_id)
        return found.sort_values("row", ignore_index=True)

    def recent(self, model: str, span: timedelta, window: timedelta) -> "pd.DataFrame":
        """The rows of the last `span` of event time and of what else its first window holds."""
        from mlops_assets.ml.monitoring.live_profiles import window_of

        newest = self.newest(model)
        if newest is None:
            return self.read(model, _EPOCH, _EPOCH)
        start = window_of(newest - span, window).start
        return self.read(model, start, newest + timedelta(microseconds=1))

    def parts(
        self, model: str, windows: Sequence[Window], counting: Counting, versions: Collection[int]
    ) -> list[Part]:
        """Profiles of all rows in `windows` of these versions, some for each window.

        A daily file is read the first time only; of one whose day still gets rows, the keys.
        """
        from mlops_assets.ml.monitoring.live_profiles import count_parts
        from resources.prediction_log.days import days_of, without_those_in

        if not windows:
            return []
        folder, parts = Path(self.root, model), []
        start, end = min(one.start for one in windows), max(one.end for one in windows)
        with exclusive(folder / _LOCK):  # no compaction between the lines and the days
            fresh = self._fresh(model, start, end)
            dates = fresh["event_time"].dt.strftime("%Y-%m-%d")
            for day in sorted({day for window in windows for day in days_of(window)}):
                file = folder / f"{day}.parquet"
                for one in (file, *self.batches(model).counted(day)):
                    parts += day_parts(one, counting, versions)
                rows = fresh[dates == day]
                if len(rows):
                    new = without_those_in(file, rows)
                    parts += count_parts(new, new.get, counting, versions)
        wanted = {window.start for window in windows}
        return [part for part in parts if part.start in wanted]

    def newest(self, model: str) -> datetime | None:
        """Event time of the newest row; None where there is none."""
        from resources.prediction_log.days import newest_in

        times = [
            datetime.fromtimestamp(max(line.event_time for line in lines), UTC)
            for path, content in self._contents(model)
            if (lines := parse(content, str(path)).lines)
        ]
        days = self._days(model)
        times += [newest_in(day) for day in days if day.stem[:10] == days[-1].stem[:10]]
        return max(times, default=None)

    def batches(self, model: str) -> BatchLog:
        """What was asked for in batches."""
        return BatchLog(Path(self.root, model))

    def compact(self, model: str) -> LogSummary:
        """Take over every closed file; doing it twice changes nothing."""
        with exclusive(Path(self.root, model) / _LOCK):
            files = [file for file in self._files(model) if is_closed(file)]
            done = [self._take_over(model, group) for group in _in_groups(files)]
            open_files = len(self._files(model))
        counts = ("files", "rows", "torn_lines", "duplicates", "nameless")
        return LogSummary(
            model=model,
            open_files=open_files,
            days=tuple(sorted({day for one in done for day in one.days})),
            newest=max((one.newest for one in done if one.newest is not None), default=None),
            **{name: sum(getattr(one, name) for one in done) for name in counts},
        )

    def _fresh(self, model: str, start: datetime, end: datetime) -> "pd.DataFrame":
        """Rows of the files that are not compacted."""
        from mlops_assets.ml.monitoring.prediction_log import to_frame

        lines = [
            line
            for path, content in self._contents(model)
            for line in parse(content, str(path)).lines
            if start.timestamp() <= line.event_time < end.timestamp()
        ]
        return to_frame(lines, self._classes(model, lines))

    def _take_over(self, model: str, files: Sequence[Path]) -> LogSummary:
        from mlops_assets.ml.monitoring.prediction_log import label_of, to_frame
        from resources.prediction_log.days import merge_into

        contents = {file: file.read_bytes() for file in files}
        parsed = [parse(content, str(file)) for file, content in contents.items()]
        lines = [line for one in parsed for line in one.lines]
        classes = self._classes(model, lines)
        new = to_frame(lines, classes)
        added, days = merge_into(Path(self.root, model), new)
        self._mark(contents)
        return LogSummary(
            model=model,
            files=len(files),
            open_files=0,
            rows=added,
            torn_lines=sum(one.torn for one in parsed),
            duplicates=len(lines) - added,
            nameless=sum(len(o.scores) > 1 and label_of(o, classes) is None for o in lines),
            days=tuple(days),
            newest=new["event_time"].max().to_pydatetime() if len(new) else None,
        )

    def _mark(self, contents: Mapping[Path, bytes]) -> None:
        for file, content in contents.items():
            size = str(len(content))
            write_atomically(_marker(file), lambda path, size=size: path.write_text(size, "ascii"))
            make_durable(file.parent)

    def _days(self, model: str) -> list[Path]:
        """Every file of Parquet by day: that of the endpoint's lines, and the batches."""
        return sorted(Path(self.root, model).glob("*.parquet"))

    def _files(self, model: str) -> list[Path]:
        """The endpoint's files that are not compacted, by name."""
        found = sorted(Path(self.endpoints, model, LOG_FOLDER).glob("*.jsonl"))
        return [file for file in found if not _is_done(file)]

    def _contents(self, model: str) -> Iterator[tuple[Path, bytes]]:
        for file in self._files(model):
            try:
                yield file, file.read_bytes()
            except FileNotFoundError:  # compacted and deleted since we looked
                continue

    def _classes(self, model: str, lines: list[LogLine]) -> dict[int, list[str]]:
        """Labels of the versions in `lines` that do not say them, where their folder still does.

        A version that was deleted costs its rows the name of their class, not the log its rows.
        """
        silent = [line for line in lines if len(line.scores) > 1 and line.predicted is None]
        versions = {line.model_version for line in silent}
        return {number: self._labels(model, number) for number in versions}

    def _labels(self, model: str, version: int) -> list[str]:
        path = Path(self.endpoints, model, VERSIONS_FOLDER, str(version), SERVABLE_FILE)
        try:
            return json.loads(path.read_bytes())["classes"]
        except (OSError, ValueError, KeyError) as err:
            logger.warning("no names of the classes of %s version %d: %s", model, version, err)
            return []


def _in_groups(files: Iterable[Path]) -> Iterator[list[Path]]:
    """Yield the files in groups of some size, in order."""
    group, size = [], 0
    for file in files:
        group.append(file)
        size += file.stat().st_size
        if size > _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def is_closed(file: Path) -> bool:
    """Whether nobody appends to the file any more.

    The writer goes on to the next number of its pid, or it died, or its pid is another's by now. Of
    a pod's writer only the first is seen from here; but it writes in no file of a day that is over.
    """
    import psutil

    date, (writer, number) = file.stem[:10], file.stem[11:].rsplit("-", 1)
    others = file.parent.glob(f"{'[0-9]' * 4}-??-??-{writer}-*.jsonl")
    later = [int(other.stem.rsplit("-", 1)[1]) for other in others]
    if max(later, default=0) > int(number):
        return True
    host, _, pid = writer.rpartition("-")
    if host:  # a pod: no process of this machine
        ended = datetime.fromisoformat(date).replace(tzinfo=UTC) + timedelta(days=1)
        return datetime.now(UTC) > ended + _CLOCKS_APART
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
        return _marker(file).read_text(encoding="ascii") == str(file.stat().st_size)
    except FileNotFoundError:
        return False
