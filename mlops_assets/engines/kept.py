"""An engine that computes the features of a snapshot once, for as long as what is before it stays.

They are of all events before the snapshot, since an entity has a row from its first event on: an
event that comes late touches every later snapshot, and none before it.
"""

import hashlib
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mlops_assets import engines
from mlops_assets.config import ModelSettings
from mlops_assets.errors import StateError
from mlops_assets.ml import features
from mlops_assets.ml.features.engine import Engine, EventLog, Roles, Wanted
from mlops_assets.ml.features.keyed import event_frame, row_keys
from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.ml.stored_rows import AnyRows
from mlops_assets.runtime.atomic import write_atomically


class KeptLog:
    """As `EventLog` says; what it aggregates before a moment is read if it is kept."""

    def __init__(self, log: EventLog, events: pd.DataFrame, made_by: str, folder: Path) -> None:
        """Take what is read of the events, key and moment first, and all else that makes features.

        The folder is where they are kept.
        """
        self._log, self._events, self._made_by, self._folder = log, events, made_by, folder
        self.used: set[Path] = set()
        """Files of the moments that were asked for."""
        self.computed = 0
        """Of those, how many were not there."""

    @property
    def oldest(self) -> pd.Timestamp:
        """See `EventLog`."""
        return self._log.oldest

    @property
    def newest(self) -> pd.Timestamp:
        """See `EventLog`."""
        return self._log.newest

    def following(self, moment: int, length: int, entities: pd.Series) -> np.ndarray:
        """See `EventLog`."""
        return self._log.following(moment, length, entities)

    def before(self, moment: int) -> pd.DataFrame:
        """See `EventLog`."""
        file = self._folder / f"{self._version(moment)}.parquet"
        self.used.add(file)
        if file.exists():
            return _read(file)
        found = self._log.before(moment)
        self.computed += 1
        write_atomically(file, lambda path: found.to_parquet(path, index=False))
        return found

    def _version(self, moment: int) -> str:
        times, hashes = self._hashes
        seen = hashes[: np.searchsorted(times, moment, side="left")]
        digest = hashlib.sha256(f"{self._made_by} {moment}\n".encode())
        digest.update(seen.tobytes())
        return digest.hexdigest()[:32]

    @cached_property
    def _hashes(self) -> tuple[np.ndarray, np.ndarray]:
        """The moments of the events in their order, and a hash of what is read of each."""
        times = self._events[TIMESTAMP].to_numpy(dtype="datetime64[ns]").astype(np.int64)
        order = np.argsort(times, kind="stable")
        hashes = pd.util.hash_pandas_object(self._events, index=False).to_numpy()
        return times[order], hashes[order]


class Kept:
    """As `Engine` says: another one, of which what it computed before is kept in a folder."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        """The folder is of one model."""
        self._engine, self._folder = engine, folder
        self.name = engine.name
        self.computed = 0
        """How many snapshots were computed, and not read."""

    @contextmanager
    def opened(
        self, events: AnyRows, settings: ModelSettings, wanted: Wanted
    ) -> Generator[KeptLog]:
        """See `Engine`; what is read of the events is in memory, to tell what is new."""
        events = event_frame(events, settings, Roles.of(wanted).columns)
        said = " ".join(f"{name} {one.digest()}" for name, one in wanted.items())
        made_by = f"{self.name} {settings.key.digest()} {said} {_code()}"
        with self._engine.opened(events, settings, wanted) as log:
            columns = events[Roles.of(wanted).columns].reset_index(drop=True)
            read = pd.concat([row_keys(events, settings), columns], axis=1)
            kept = KeptLog(log, read, made_by, self._folder)
            yield kept
        self.computed += kept.computed
        if kept.used:
            for file in {*self._folder.glob("*.parquet")} - kept.used:
                file.unlink(missing_ok=True)


def _read(file: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(file)
    except (OSError, ValueError) as err:
        raise StateError(f"{file} is damaged: {err}; delete it and run again") from err


@cache
def _code() -> str:
    """Of what computes."""
    digest = hashlib.sha256()
    for room in (features, engines):
        for file in sorted(Path(str(room.__file__)).parent.glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
