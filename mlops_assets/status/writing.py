"""Models -> the file of the page."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.config import ModelSettings
from mlops_assets.runtime.atomic import write_atomically
from mlops_assets.status.facts import Stores, look
from mlops_assets.status.page import status_page

__all__ = ["Stores", "write_page"]


def write_page(models: Sequence[ModelSettings], stores: Stores, file: Path) -> dict[str, int]:
    """Look at every model, and replace the file by the page of now.

    Returns:
        Models by their state: `live`, `odd`, `down`, `new`.

    Raises:
        StateError: The file cannot be written; the one before it stays.
    """
    now = datetime.now(UTC)
    found = [look(model, stores, now) for model in models]
    text = status_page(found, now)
    write_atomically(file, lambda path: path.write_text(text, encoding="utf-8"))
    return dict(Counter(str(model.state) for model in found))
