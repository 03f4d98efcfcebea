"""Files of one source, held against the first of them."""

from collections.abc import Sequence
from pathlib import Path

from mlops_assets.errors import SourceError


def require_same_columns(files: Sequence[tuple[Path, Sequence[str]]]) -> None:
    """Refuse files of other columns than those of the first.

    Args:
        files: Each with the names of its columns.

    Raises:
        SourceError: One has others.
    """
    first, names = files[0]
    for path, others in files:
        more, fewer = (sorted({*a} - {*b}) for a, b in ((others, names), (names, others)))
        differ = [f"{said} {one}" for said, one in (("also", more), ("not", fewer)) if one]
        if differ:
            raise SourceError(
                f"{path} has other columns than {first}: {', '.join(differ)}; narrow the glob, or "
                "correct one"
            )
