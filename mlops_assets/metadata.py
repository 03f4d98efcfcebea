"""Typed records and pictures as asset metadata: one spelling for the writer and the reader."""

import base64
from collections.abc import Mapping

import dagster as dg
import pandas as pd

from mlops_assets.ml.markdown import table


def markdown_table(frame: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """A small frame as the table that the Dagster UI shows."""
    return dg.MetadataValue.md(table(frame.columns, frame.itertuples(index=False)))


def pictures(plots: Mapping[str, bytes]) -> dict[str, dg.MarkdownMetadataValue]:
    """PNG bytes by name as one entry, `plots`: its link in the Dagster UI opens all of them.

    The UI puts Markdown of 1,000 characters or more behind that link, so one click must be enough.
    """
    images = (
        f"![{name}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"
        for name, png in plots.items()
    )
    return {"plots": dg.MetadataValue.md("\n".join(images))}


def urls(links: Mapping[str, str]) -> dict[str, dg.UrlMetadataValue]:
    """Addresses by name, as links that the Dagster UI opens."""
    return {name: dg.MetadataValue.url(address) for name, address in links.items()}


def rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics as a person reads them; the full value is in MLflow."""
    return {name: round(value, 4) for name, value in metrics.items()}


def unless(passed: bool, said: str) -> str | None:
    """What a check says when it fails."""
    return None if passed else said
