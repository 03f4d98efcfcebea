"""Which categories a fitted pipeline knows, so that an answer can say that one was new to it."""

from typing import Any

from mlops_assets.ml.estimators import Estimator


def seen_categories(model: Estimator) -> dict[str, tuple[str | float, ...]]:
    """Each encoded feature -> the values that its encoder was fitted on; a missing one is none."""
    return {
        name: tuple(_plain(value) for value in values if value == value)
        for _, step in getattr(model, "steps", ())
        for _, encoder, columns in getattr(step, "transformers_", ())
        for name, values in zip(columns, getattr(encoder, "categories_", ()), strict=False)
    }


def _plain(value: Any) -> str | float:
    return value if isinstance(value, str) else float(value)
