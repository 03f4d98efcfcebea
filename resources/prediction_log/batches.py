"""Where the lines of batches stand: a Parquet file each beside the days, never merged.

`<day>-<kind>-<when it was logged>-<id>.parquet`: the day is that of its event time, the kind what
it was made of, and the id the same whenever the same rows are asked of the same version. So a batch
that is repeated, after whatever ended it, stands in the log once.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.runtime.atomic import exclusive

if TYPE_CHECKING:
    from resources.bucket.mirror import Mirror

_EVERYBODY = "snapshot"
"""The kind whose batches ask for every entity."""


@dataclass(frozen=True)
class BatchLog:
    """The batches of one model."""

    folder: Path
    shared: "Mirror"

    @contextmanager
    def exclusive(self) -> Generator[None]:
        """Hold it against other batches; waits. What killed ones left half-written is deleted.

        It begins with what the bucket has, if there is one, and ends with what it has now there.
        """
        with exclusive(self.folder / "batches.lock"):
            for file in self.folder.glob(".????-??-??-*.parquet.*"):
                file.unlink(missing_ok=True)
            self.shared.sync(self.folder)
            yield
            self.shared.sync(self.folder)

    def answers(self, name: str) -> Path:
        """Where the answers stand that nobody wanted elsewhere."""
        return self.folder / "answers" / f"{name}.parquet"

    def file(self, kind: str, event: datetime, logged: datetime, batch: str) -> Path:
        """The place of a batch."""
        day, stamp = (moment.astimezone(UTC) for moment in (event, logged))
        return self.folder / f"{day:%Y-%m-%d}-{kind}-{stamp:%Y%m%dT%H%M%S}-{batch}.parquet"

    def holds(self, batch: str) -> bool:
        """Whether a batch stands in the log."""
        return any(self.folder.glob(f"????-??-??-*-{batch}.parquet"))

    def counted(self, day: str) -> list[Path]:
        """The batches of a day that windows count, in order.

        Of those that asked for every entity only the newest: an entity that was asked for ten times
        is one observation of that day, not ten.
        """
        found = sorted(self.folder.glob(f"{day}-*.parquet"))
        everybody = [file for file in found if file.name.startswith(f"{day}-{_EVERYBODY}-")]
        return [file for file in found if file not in everybody[:-1]]
