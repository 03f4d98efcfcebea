"""The prediction log in memory; `test_prediction_log.py` runs its contract."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

import pandas as pd

from mlops_assets.ml.monitoring.live_profiles import count_parts
from mlops_assets.ml.monitoring.prediction_log import combine, without_duplicates
from mlops_assets.records.monitoring import LogSummary, Window
from mlops_assets.records.profile import Counting, Part
from resources.prediction_log.log import PredictionLog

_LOGGED: dict[tuple[str, str], list[pd.DataFrame]] = defaultdict(list)
_COMPACTED: dict[tuple[str, str], pd.DataFrame] = {}


class FakePredictionLog(PredictionLog):
    """Frames in memory; `add` stands for an endpoint that closed a file."""

    def add(self, model: str, rows: pd.DataFrame) -> None:
        """Log rows with the columns of `ml.monitoring.prediction_log`."""
        _LOGGED[self.root, model].append(rows)

    def read(self, model: str, start: datetime, end: datetime) -> pd.DataFrame:
        rows = self._all(model)
        inside = (rows["event_time"] >= start) & (rows["event_time"] < end)
        return rows[inside].reset_index(drop=True)

    def parts(
        self,
        model: str,
        windows: Sequence[Window],
        counting: Counting,
        versions: Collection[int],
    ) -> list[Part]:
        frames = (self.read(model, window.start, window.end) for window in windows)
        return [part for rows in frames for part in count_parts(rows, rows.get, counting, versions)]

    def newest(self, model: str) -> datetime | None:
        times = self._all(model)["event_time"]
        return times.max().to_pydatetime() if len(times) else None

    def compact(self, model: str) -> LogSummary:
        before = _COMPACTED.get((self.root, model), combine([]))
        after = self._all(model)
        files = _LOGGED.pop((self.root, model), [])
        _COMPACTED[self.root, model] = after
        added = len(after) - len(before)
        return LogSummary(
            model=model,
            files=len(files),
            open_files=0,
            rows=added,
            torn_lines=0,
            duplicates=sum(map(len, files)) - added,
            days=tuple(sorted({f"{time:%Y-%m-%d}" for rows in files for time in rows.event_time})),
            newest=max((rows.event_time.max() for rows in files if len(rows)), default=None),
            held=after["event_time"].dt.strftime("%Y-%m-%d").value_counts().to_dict(),
        )

    def _all(self, model: str) -> pd.DataFrame:
        compacted = _COMPACTED.get((self.root, model), combine([]))
        batches = map(pd.read_parquet, self._days(model))
        return without_duplicates(combine([compacted, *_LOGGED[self.root, model], *batches]))
