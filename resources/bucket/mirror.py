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
_ROWS = "[!.]*.parquet"


class ChangedMeanwhileError(Exception):
    """Another machine was faster."""


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
            tag = Bucket(self.uri).get(self._key(file), got, self.tag(file))
            if got.exists():
                state = _state(got)
                got.replace(file)
                self._note(file, tag, state)
            elif not tag:  # what is here is of before, or was deleted there
                _notes(file).unlink(missing_ok=True)
        finally:
            got.unlink(missing_ok=True)
        return file.exists()

    def write(
        self, file: Path, write: Callable[[Path], object], instead_of: str | None = None
    ) -> None:
        """Let `write` fill a file, which then is in the bucket and here, or in neither.

        It takes the place of any, or only of the one with the tag that is given, as `tag` says it.

        Raises:
            ChangedMeanwhileError: The bucket has another one by now; call `get` and begin again.
        """
        if not self.uri:
            write_atomically(file, write)
            return
        with replacing(file) as temporary:
            write(temporary)
            tag = Bucket(self.uri).put(self._key(file), temporary, instead_of)
            if not tag:
                raise ChangedMeanwhileError(f"{self.address(file)} was changed meanwhile")
            state = _state(temporary)
        self._note(file, tag, state)

    def sync(self, folder: Path) -> None:
        """Bring the Parquet files of a folder and of the bucket together.

        What the bucket has is here, and what it never had is there; of what both have without ever
        having met, this machine's is set aside in `before/`. Nothing is deleted.
        """
        if not self.uri:
            return
        there = Bucket(self.address(folder)).tags()
        for name, tag in there.items():
            file = folder / name
            if file.parent != folder or not file.match(_ROWS) or self.tag(file) == tag:
                continue
            if file.exists() and not _notes(file).exists():
                file.replace(ensure_folder(folder / "before") / file.name)
            self.get(file)
        for file in folder.glob(_ROWS):
            if file.name not in there and not self.tag(file):
                self._add(file)

    def _add(self, file: Path) -> None:
        """Put a file of before there, unless there is one by now."""
        state = _state(file)
        if tag := Bucket(self.uri).put(self._key(file), file, ""):
            self._note(file, tag, state)

    def keep(self, file: Path) -> None:
        """Take a file that was got, and changed for this machine alone, for what the bucket has."""
        if _notes(file).exists():
            tag = _notes(file).read_text(encoding="utf-8").partition(" ")[0]
            self._note(file, tag, _state(file))

    def names(self) -> list[str]:
        """What the bucket has, by its path from the folder."""
        return sorted(Bucket(self.uri).tags()) if self.uri else []

    def address(self, file: Path) -> str:
        """Where a file is for everybody who shares it."""
        return f"{self.uri}/{self._key(file)}" if self.uri else str(file)

    def _key(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()

    def tag(self, file: Path) -> str:
        """That of the file which stands here; empty if it is not what the bucket once had."""
        try:
            tag, _, noted = _notes(file).read_text(encoding="utf-8").partition(" ")
            return tag if noted == f"{_state(file)} {self.uri}" else ""
        except FileNotFoundError:  # the note, or the file
            return ""

    def _note(self, file: Path, tag: str, state: str) -> None:
        said = f"{tag} {state} {self.uri}"
        write_atomically(_notes(file), lambda path: path.write_text(said, encoding="utf-8"))


def _notes(file: Path) -> Path:
    return file.parent / NOTES / file.name


def _state(file: Path) -> str:
    found = file.stat()
    return f"{found.st_size} {found.st_mtime_ns}"
