"""The files of a batch: filled beside their places, and put into them at the end, all or none."""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa

from mlops_assets.ml.data.contract import Checked, violations
from mlops_assets.ml.monitoring.prediction_log import FEATURE
from mlops_assets.ml.stored_rows import Options, RowFile
from mlops_assets.runtime.atomic import replacing

_ANSWER_DICTIONARIES = ("features_as_of", "model_version", "scored_at")
"""Columns of the answers that mostly have few values within a batch, as these of the log have."""
_LOG_DICTIONARIES = (
    *("request_id", "logged_at", "event_time", "features_as_of", "source", "role", "predicted"),
    *("model_version", "generation"),
)


class BatchFiles:
    """What was answered, what is logged of it, and what was not answered."""

    def __init__(self, output: Path, log: Path | None, columns: Sequence[str]) -> None:
        """For `batch_files`."""
        self.answered = self.quarantined = 0
        """Rows."""
        self.reasons: Counter[str] = Counter()
        """Rule that was broken -> how often."""
        self.quarantine = quarantine_of(output)
        self._columns = columns
        self._places, self._apart = ExitStack(), ExitStack()
        self._answers = RowFile(
            self._places.enter_context(replacing(output)), _written(_ANSWER_DICTIONARIES)
        )
        self._log: RowFile | None = None
        if log is not None:
            self._log = RowFile(
                self._places.enter_context(replacing(log)), _written(_LOG_DICTIONARIES)
            )
        self._bad: RowFile | None = None

    def append(self, answers: pa.Table, lines: pa.Table | None) -> None:
        """Add answers, and their lines of the log, if there is one."""
        self.answered += len(answers)
        self._answers.append(answers)
        if self._log and lines is not None:
            self._log.append(lines)

    def set_apart(self, bad: pd.DataFrame) -> None:
        """Put rows with `row` and `reason` into the quarantine, as strings."""
        if bad.empty:
            return
        self.quarantined += len(bad)
        self.reasons.update(violations(Checked(bad.head(0), bad)))
        texts = {name: bad.get(name) for name in self._columns}
        rows = pd.DataFrame(texts, index=bad.index, dtype=object)
        rows = rows.assign(row=bad["row"].astype("int64"), reason=bad["reason"])
        fields = [pa.field(name, pa.string()) for name in (*self._columns, "reason")]
        schema = pa.schema([*fields[:-1], pa.field("row", pa.int64()), fields[-1]])
        if self._bad is None:
            self._bad = RowFile(self._apart.enter_context(replacing(self.quarantine)))
        self._bad.append(pa.Table.from_pandas(rows, schema, preserve_index=False))

    def close_quarantine(self) -> None:
        """Put it into its place; where nothing is in it, none of an earlier batch stays there."""
        if self._bad is None:
            self.quarantine.unlink(missing_ok=True)
            return
        self._bad.close()
        self._apart.close()

    def close(self) -> None:
        """Put all into their places."""
        self.close_quarantine()
        for file in filter(None, (self._log, self._answers)):
            file.close()
        # The log first, as the endpoint does: what somebody was told, monitoring knows.
        self._places.close()

    def abandon(self, err: BaseException) -> None:
        """Leave what was there before."""
        with self._places, self._apart:
            raise err


def _written(dictionaries: Sequence[str]) -> Options:
    """These columns by dictionaries, if they are there; nobody looks for rows by their features."""
    return lambda names: {
        "use_dictionary": [name for name in dictionaries if name in names],
        "write_statistics": [name for name in names if not name.startswith(FEATURE)],
    }


def quarantine_of(output: Path) -> Path:
    """The file of what was not answered, beside that of the answers."""
    return output.with_name(f"{output.stem}.quarantine.parquet")


def drop_leftovers(output: Path) -> None:
    """Delete what a killed batch left half-written of these files; the caller holds its lock."""
    begin = tuple(f".{file.name}." for file in (output, quarantine_of(output)))
    for file in [one for one in output.parent.glob(".*") if one.name.startswith(begin)]:
        file.unlink(missing_ok=True)


@contextmanager
def batch_files(output: Path, log: Path | None, columns: Sequence[str]) -> Generator[BatchFiles]:
    """The files of a batch; if the body raises, what was there before stays.

    Args:
        output: Gets the answers; the quarantine is beside it.
        log: Gets the lines of the prediction log; None: they are not logged.
        columns: Of the quarantine, besides `row` and `reason`.
    """
    files = BatchFiles(output, log, columns)
    try:
        yield files
        files.close()
    except BaseException as err:
        files.abandon(err)
