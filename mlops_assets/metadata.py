"""Typed records and pictures as asset metadata: one spelling for the writer and the reader."""

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg
from pydantic.fields import FieldInfo

from mlops_assets.blocks.base import Record
from mlops_assets.ml.markdown import table

if TYPE_CHECKING:
    import pandas as pd

_Facts = TypeVar("_Facts", bound=Record)


def stated(facts: Record) -> dict[str, Any]:
    """A record as metadata: one entry per field, under its name; none for what is as by default."""
    values = facts.model_dump(mode="json")
    return {
        name: _entry(field, values[name])
        for name, field in type(facts).model_fields.items()
        if getattr(facts, name) != field.default
    }


def read_facts(
    materialization: dg.AssetMaterialization | None, kind: type[_Facts]
) -> _Facts | None:
    """The record that a materialization states, as `stated` wrote it.

    None without a materialization, or where it does not state all that has no default: it is of
    another release, or reported by hand.
    """
    entries = materialization.metadata if materialization else {}
    fields = kind.model_fields
    told = {name: entries[name].value for name in fields if name in entries}
    needed = {name for name, field in fields.items() if field.is_required()}
    return kind.model_validate(told) if told and needed <= told.keys() else None


def _entry(field: FieldInfo, value: Any) -> Any:
    if field.json_schema_extra == {"contentMediaType": "text/markdown"}:
        return dg.MetadataValue.md(value)
    return dg.MetadataValue.json(value) if isinstance(value, dict | list) else value


def markdown_table(frame: "pd.DataFrame") -> dg.MarkdownMetadataValue:
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


def holds_without(wrong: Any, said: str, **metadata: Any) -> dg.AssetCheckResult:
    """A check that passes if nothing is wrong, and else says what to do."""
    passed = not wrong
    return dg.AssetCheckResult(
        passed=passed, description=None if passed else said, metadata=metadata
    )
