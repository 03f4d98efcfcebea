"""A folder of this machine that has the files of a bucket: what was read stays, and is asked for.

A file is asked for by its tag each time, so that what another machine has put there is seen, and
what has not changed is not sent again. Tags are noted in `.there/` beside the files, with size and
time of the file that they are of: one that was written since by somebody else is asked for whole.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.runtime.atomic import ensure_folder, replacing, write_atomically
from resources.bucket.objects import Bucket

NOTES = ".there"


@dataclass(frozen=True)
class Mirror:
    """The files below `folder` are those below the address `uri`, by the same names.

    Without an address it is the folder alone.
    """

    folder: Path
    uri: str

    def get(self, file: Path) -> bool:
        """Make a file what it is in the bucket, if it is in it; whether there is one then."""
        if not self.uri:
            return file.exists()
        ensure_folder(file.parent)
        got = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
        try:
            tag = Bucket(self.uri).get(self._key(file), got, self._noted(file))
            if got.exists():
                state = _state(got)
                got.replace(file)
                _note(file, tag, state)
        finally:
            got.unlink(missing_ok=True)
        return file.exists()

    def write(self, file: Path, write: Callable[[Path], object]) -> None:
        """Let `write` fill a file, which then is in the bucket and here, or in neither."""
        if not self.uri:
            write_atomically(file, write)
            return
        with replacing(file) as temporary:
            write(temporary)
            tag, state = Bucket(self.uri).put(self._key(file), temporary), _state(temporary)
        _note(file, tag, state)

    def keep(self, file: Path) -> None:
        """Take a file that was got, and changed for this machine alone, for what the bucket has."""
        if _notes(file).exists():
            _note(file, _notes(file).read_text(encoding="utf-8").partition(" ")[0], _state(file))

    def names(self) -> list[str]:
        """What the bucket has, by its path from the folder."""
        return sorted(Bucket(self.uri).tags()) if self.uri else []

    def address(self, file: Path) -> str:
        """Where a file is for everybody who shares it."""
        return f"{self.uri}/{self._key(file)}" if self.uri else str(file)

    def _key(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()

    def _noted(self, file: Path) -> str:
        """The tag of the file that stands there; empty if it is not known."""
        try:
            tag, _, state = _notes(file).read_text(encoding="utf-8").partition(" ")
            return tag if state == _state(file) else ""
        except FileNotFoundError:
            return ""


def _note(file: Path, tag: str, state: str) -> None:
    said = f"{tag} {state}"
    write_atomically(_notes(file), lambda path: path.write_text(said, encoding="utf-8"))


def _notes(file: Path) -> Path:
    return file.parent / NOTES / file.name


def _state(file: Path) -> str:
    found = file.stat()
    return f"{found.st_size} {found.st_mtime_ns}"
