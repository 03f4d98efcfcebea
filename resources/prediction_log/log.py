"""The prediction log: what the endpoints wrote, kept as one Parquet file per model and day.

A batch is a file of its own beside it: `resources.prediction_log.batches`.

The endpoint writes `<endpoints>/<model>/predictions/<date>-<pid>-<n>.jsonl`, a pod with its name
before the pid. `compact` takes over the files that are closed and leaves `<file>.done` beside each:
from then on it may be deleted. The marker comes after the Parquet is durable, and rows that are
there already are dropped, so a crash at any point neither loses a row nor doubles one. With a
bucket the days and batches are there, the folder is what this machine has read of them, and each
machine adds what its own endpoints have written.
"""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from mlops_assets.ml.inference.log_lines import LogLine
from mlops_assets.records.files import LOG_FOLDER, SERVABLE_FILE, VERSIONS_FOLDER
from mlops_assets.records.monitoring import LogSummary, Window
from mlops_assets.records.profile import Counting, Part
from mlops_assets.runtime.atomic import exclusive
from resources.prediction_log.batches import BatchLog
from resources.prediction_log.day_profiles import day_parts
from resources.prediction_log.lines import is_closed, is_done, mark, newest_of, read_parts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from resources.bucket.mirror import Mirror
    from resources.prediction_log.merging import NewRows

logger = logging.getLogger(__name__)

_EPOCH = datetime.fromtimestamp(0, UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)
_LOCK = "compact.lock"


class PredictionLog(dg.ConfigurableResource):
    """Reads and compacts the logs of all models.

    What no version of the endpoint writes is a `PredictionLogError`, whoever comes upon it.

    >>> log = PredictionLog(endpoints="endpoints", root="predictions")
    >>> len(log.recent("customers", timedelta(days=7), timedelta(days=1)))
    0
    """

    endpoints: str = Field(description="Folder of the endpoints, one folder for each model.")
    root: str = Field(description="Folder of the daily Parquet files, one folder for each model.")
    bucket: str = Field("", description="Where these are for all machines: s3://NAME/...")

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
        from mlops_assets.ml.monitoring.prediction_log import to_frame
        from resources.prediction_log.days import rows_of_request

        found = to_frame([self._fresh(model, _EPOCH, _NEVER)])
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
        from mlops_assets.ml.monitoring.prediction_log import to_frame
        from resources.prediction_log.days import by_day, days_of, without_those_in

        if not windows:
            return []
        folder, parts = Path(self.root, model), []
        start, end = min(one.start for one in windows), max(one.end for one in windows)
        with exclusive(folder / _LOCK):  # no compaction between the lines and the days
            self._shared.sync(folder)
            fresh = by_day(self._fresh(model, start, end))
            for day in sorted({day for window in windows for day in days_of(window)}):
                file = folder / f"{day}.parquet"
                for one in (file, *self.batches(model).counted(day)):
                    parts += day_parts(one, counting, versions)
                if day in fresh:
                    new = to_frame([without_those_in(file, fresh[day])])
                    parts += count_parts(new, new.get, counting, versions)
        wanted = {window.start for window in windows}
        return [part for part in parts if part.start in wanted]

    def newest(self, model: str) -> datetime | None:
        """Event time of the newest row; None where there is none."""
        from resources.prediction_log.days import newest_in

        parts = (part for file in self._files(model) for part in read_parts(file))
        times = [newest for part in parts if (newest := newest_of(part.lines))]
        days = self._days(model)
        times += [newest_in(day) for day in days if day.stem[:10] == days[-1].stem[:10]]
        return max(times, default=None)

    def batches(self, model: str) -> BatchLog:
        """What was asked for in batches."""
        return BatchLog(Path(self.root, model), self._shared)

    def compact(self, model: str) -> LogSummary:
        """Take over every closed file; doing it twice changes nothing."""
        from resources.prediction_log.merging import new_rows

        folder = Path(self.root, model)
        with exclusive(folder / _LOCK), new_rows(folder, self._shared) as new:
            self._shared.sync(folder)
            files = [file for file in self._files(model) if is_closed(file)]
            taken = [self._set_aside(model, file, new) for file in files]
            added, days = new.merge()
            self._mark({file: one.size for file, one in zip(files, taken, strict=True)})
            open_files, held = len(self._files(model)), self._held(model)
        return LogSummary(
            model=model,
            files=len(files),
            open_files=open_files,
            rows=added,
            torn_lines=sum(one.torn for one in taken),
            duplicates=sum(one.rows for one in taken) - added,
            nameless=sum(one.nameless for one in taken),
            days=tuple(days),
            newest=max((one.newest for one in taken if one.newest is not None), default=None),
            held=held,
        )

    def _held(self, model: str) -> dict[str, int]:
        from resources.prediction_log.days import rows_in

        held: dict[str, int] = {}
        for file in self._days(model):
            day = file.stem[:10]
            held[day] = held.get(day, 0) + rows_in(file)
        return held

    def _set_aside(self, model: str, file: Path, new: "NewRows") -> "_Taken":
        from mlops_assets.ml.monitoring.prediction_log import label_of, to_table

        taken = _Taken()
        for part in read_parts(file):
            lines, classes = part.lines, self._classes(model, part.lines)
            new.add(to_table(lines, classes))
            taken.size += part.size
            taken.rows += len(lines)
            taken.torn += part.torn
            taken.nameless += sum(len(o.scores) > 1 and label_of(o, classes) is None for o in lines)
            taken.see(newest_of(lines))
        return taken

    def _fresh(self, model: str, start: datetime, end: datetime) -> "pa.Table":
        """Rows of the files that are not compacted."""
        from mlops_assets.ml.monitoring.prediction_log import concat, to_table

        first, after = start.timestamp(), end.timestamp()
        parts = (part for file in self._files(model) for part in read_parts(file))
        inside = ([o for o in part.lines if first <= o.event_time < after] for part in parts)
        return concat([to_table(lines, self._classes(model, lines)) for lines in inside])

    def _mark(self, sizes: Mapping[Path, int]) -> None:
        for file, size in sizes.items():
            mark(file, size)

    def _days(self, model: str) -> list[Path]:
        """Every file of Parquet by day: that of the endpoint's lines, and the batches."""
        self._shared.sync(Path(self.root, model))
        return sorted(Path(self.root, model).glob("*.parquet"))

    @property
    def _shared(self) -> "Mirror":
        from resources.bucket.mirror import Mirror

        return Mirror(Path(self.root), self.bucket)

    def _files(self, model: str) -> list[Path]:
        """The endpoint's files that are not compacted, by name."""
        found = sorted(Path(self.endpoints, model, LOG_FOLDER).glob("*.jsonl"))
        return [file for file in found if not is_done(file)]

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


@dataclass
class _Taken:
    """What a file held."""

    size: int = 0
    rows: int = 0
    torn: int = 0
    nameless: int = 0
    newest: datetime | None = None

    def see(self, moment: datetime | None) -> None:
        """Remember the newest moment."""
        self.newest = max((one for one in (self.newest, moment) if one), default=None)
