"""The files of lines that the endpoint writes: read part by part, closed or not, marked as done."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mlops_assets.ml.inference.log_lines import LogLine, parse
from mlops_assets.runtime.atomic import make_durable, write_atomically

_BYTES_AT_ONCE = 16_000_000
"""How much of a file is in memory at once; as lines it takes ten times that."""
_CLOCKS_APART = timedelta(minutes=10)
"""How much the clocks of two machines may differ."""
_CLOCK_ERROR_SECONDS = 2.0
"""How far a process's start, as the system tells it, may be off."""


@dataclass(frozen=True)
class Part:
    """Some of the lines of a file."""

    lines: list[LogLine]
    torn: int
    size: int
    """Bytes."""


def read_parts(file: Path) -> Iterator[Part]:
    """Yield what a file holds, in order; nothing of one that is deleted by now.

    Raises:
        PredictionLogError: As `parse`.
    """
    try:
        opened = file.open("rb")
    except FileNotFoundError:  # compacted and deleted since we looked
        return
    first = 1
    with opened:
        while content := opened.read(_BYTES_AT_ONCE):
            content += opened.readline()
            parsed = parse(content, str(file), first)
            first += content.count(b"\n")
            yield Part(parsed.lines, parsed.torn, len(content))


def newest_of(lines: list[LogLine]) -> datetime | None:
    """The newest event time; None without a line."""
    newest = max((line.event_time for line in lines), default=None)
    return None if newest is None else datetime.fromtimestamp(newest, UTC)


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


def mark(file: Path, size: int) -> None:
    """Note that so many bytes of it are compacted."""
    write_atomically(_marker(file), lambda path: path.write_text(str(size), "ascii"))
    make_durable(file.parent)


def _marker(file: Path) -> Path:
    return file.with_name(f"{file.name}.done")


def is_done(file: Path) -> bool:
    """Whether all that the file holds is compacted; the marker says how much that was."""
    try:
        return _marker(file).read_text(encoding="ascii") == str(file.stat().st_size)
    except FileNotFoundError:
        return False
