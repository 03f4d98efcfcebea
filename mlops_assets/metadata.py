"""Typed records and pictures as asset metadata: one spelling for the writer and the reader."""

import base64
from collections.abc import Collection, Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg
from pydantic.fields import FieldInfo

from mlops_assets.blocks.base import Record
from mlops_assets.home import place
from mlops_assets.ml.rows import (
    Cell,
    below,
    container,
    from_lines,
    from_row,
    holds_records,
    inner_record,
    lines,
    short,
    to_row,
)

if TYPE_CHECKING:
    import pandas as pd

_Facts = TypeVar("_Facts", bound=Record)
_PATH = {"format": "path"}


def stated(facts: Record) -> dict[str, Any]:
    """A record as metadata: an entry per field, under its name; none for what is as by default.

    Records in a field are the rows of a table, values by name its two columns.
    """
    told = facts.model_dump(mode="json")
    entries: dict[str, Any] = {}
    for name, field in type(facts).model_fields.items():
        value = getattr(facts, name)
        if value == field.default:
            continue
        if isinstance(value, Record) and holds_records(type(value)):
            entries |= {f"{name}.{inner}": entry for inner, entry in stated(value).items()}
        else:
            entries[name] = _entry(field, value, told[name])
    return entries


def read_facts(
    materialization: dg.AssetMaterialization | None, kind: type[_Facts]
) -> _Facts | None:
    """The record that a materialization states, as `stated` wrote it, or an earlier release.

    None without a materialization, or where it does not state all that has no default: it is of
    another release, or reported by hand.
    """
    return read_entries(materialization.metadata if materialization else {}, kind)


def read_entries(entries: Mapping[str, Any], kind: type[_Facts]) -> _Facts | None:
    """The same of metadata, whosever it is."""
    told: dict[str, Any] = {}
    for name, field in kind.model_fields.items():
        inner = inner_record(field.annotation)
        if name in entries:
            told[name] = _value(field, entries[name])
        elif inner and (part := read_entries(below(name, entries), inner)):
            told[name] = part
    needed = {name for name, field in kind.model_fields.items() if field.is_required()}
    return kind.model_validate(told) if told and needed <= told.keys() else None


def _entry(field: FieldInfo, value: Any, told: Any) -> Any:
    if field.json_schema_extra == {"contentMediaType": "text/markdown"}:
        return dg.MetadataValue.md(told)
    if field.json_schema_extra == _PATH:
        return place_of_file(told)
    inner = inner_record(field.annotation)
    if inner and isinstance(value, Record | tuple):
        records = value if isinstance(value, tuple) else (value,)
        return typed_table([to_row(each) for each in records], inner.SHOWN)
    if isinstance(told, dict):
        return named_values(told)
    return lines(told) if isinstance(told, list) else told


def _value(field: FieldInfo, entry: dg.MetadataValue) -> Any:
    many, inner = container(field.annotation), inner_record(field.annotation)
    if isinstance(entry, dg.TableMetadataValue):
        rows = [record.data for record in entry.records]
        if inner is None:
            if field.json_schema_extra == _PATH:
                return "/".join(str(row.get("whole", row["value"])) for row in rows)
            return {row["name"]: row["value"] for row in rows}
        found = [from_row(row, inner) for row in rows]
        return found if many else found[0]
    is_text = isinstance(entry, dg.TextMetadataValue)
    return from_lines(entry.text or "", many) if is_text and many else entry.value


def typed_table(
    rows: Sequence[Mapping[str, Cell]], shown: Collection[str] = ()
) -> dg.TableMetadataValue:
    """Rows as the table that the Dagster UI shows; a column is there if some row has it.

    The UI shows the columns of the schema: of those `shown`, or all. The others are for who reads
    the metadata.
    """
    kinds = {name: type(cell).__name__ for row in rows for name, cell in row.items()}
    columns = [dg.TableColumn(n, kind) for n, kind in kinds.items() if not shown or n in shown]
    records = [dg.TableRecord({name: row.get(name, "") for name in kinds}) for row in rows]
    return dg.MetadataValue.table(records, dg.TableSchema(columns))


def named_values(values: Mapping[str, Any]) -> dg.TableMetadataValue:
    """Values by name as a table of two columns."""
    shown = (int, float, str)
    return typed_table(
        [
            {"name": str(name), "value": value if isinstance(value, shown) else str(value)}
            for name, value in values.items()
        ]
    )


def markdown_table(frame: "pd.DataFrame") -> dg.MarkdownMetadataValue:
    """A few rows as the table that the Dagster UI shows."""
    from mlops_assets.ml.legible import preview

    return dg.MetadataValue.md(preview(frame))


def first_rows(rows: "pd.DataFrame", count: int | None = None) -> dict[str, Any]:
    """How long a table is, and how it begins; its length, if these are not all rows of it."""
    length = len(rows) if count is None else count
    return {"dagster/row_count": length, "preview": markdown_table(rows.head())}


PROFILED = 100_000
"""Rows that are looked at for the metadata of more than memory holds; at most twice as many."""


def profile(
    rows: "pd.DataFrame", names: Sequence[str], titles: Mapping[str, str]
) -> dict[str, Any]:
    """The same, and what its columns look like: a row for each, and a picture of those named."""
    from mlops_assets.ml.plots.profile import table_plot
    from mlops_assets.ml.summary import summarized

    columns = [to_row(column) for column in summarized(rows)]
    drawn = pictures({"profile": table_plot(rows, names, titles)})
    return {**first_rows(rows), **by_column(columns, COLUMN_TABLES), **drawn}


COLUMN_TABLES = {
    "columns": ("type", "missing", "different"),
    "texts": ("most_frequent",),
    "numbers": ("low", "mean", "high", "deviation"),
}


def by_column(
    rows: Sequence[Mapping[str, Cell]], tables: Mapping[str, Sequence[str]]
) -> dict[str, dg.TableMetadataValue]:
    """Facts of columns as tables that have room on a page, by name: `column`, and those named.

    A column of which a table would say nothing is not in it; a table of none is left out. Of a name
    that is shown shorter the whole one stands in the metadata, as `name`.
    """
    from mlops_assets.ml.legible import room_for_names, short_names

    found = {}
    for table, names in tables.items():
        told = [row for row in rows if any(name in row for name in names)]
        beside = {name: ["", *(row[name] for row in told if name in row)] for name in names}
        shown = short_names((str(row["column"]) for row in told), room_for_names(beside))
        lines = [
            {
                "column": shown[name],
                **({"name": name} if shown[name] != name else {}),
                **{n: row[n] for n in names if n in row},
            }
            for row, name in ((row, str(row["column"])) for row in told)
        ]
        if lines:
            found[table] = typed_table(lines, ("column", *names))
    return found


def pictures(plots: Mapping[str, bytes]) -> dict[str, dg.MarkdownMetadataValue]:
    """PNG bytes by name as one entry, `plots`: its link in the Dagster UI opens all of them.

    The UI puts Markdown of 1,000 characters or more behind that link, so one click must be enough.
    """
    images = (
        f"![{name}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"
        for name, png in plots.items()
    )
    return {"plots": dg.MetadataValue.md("\n".join(images))}


def place_of_file(path: str) -> dg.TableMetadataValue:
    """A path by its folder and its name as they have room, since the Dagster UI breaks no long one.

    Beside each, not shown, what is `whole`: a slash between both makes it the path again.
    """
    whole, shown = path.rpartition("/"), place(path).rpartition("/")
    rows = [
        {"name": name, "value": short(shown[at], PLACE), "whole": whole[at]}
        for name, at in (("folder", 0), ("file", 2))
    ]
    return typed_table(rows, ("name", "value"))


PLACE = 44
"""Characters of a folder, or of the name of a file, beside which of both it is."""


def link(address: str) -> dg.MarkdownMetadataValue:
    """An address as a link of the Dagster UI, which says the end of its path.

    As a whole it may be wider than a page, and the UI breaks none.
    """
    end = address.partition("?")[0].rstrip("/").split("/")[-2:]
    return dg.MetadataValue.md(f"[{'/'.join(end)}]({address})")


def rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics as a person reads them; the full value is in MLflow."""
    return {name: round(value, 4) for name, value in metrics.items()}


def cells(values: Mapping[str, float | None]) -> dict[str, Cell]:
    """The same in a row of a table, which has no infinity; no cell of what is not known."""
    known = {name: value for name, value in values.items() if value is not None}
    return {name: round(x, 4) if isfinite(x) else str(x) for name, x in known.items()}


def figures(values: Mapping[str, float | None]) -> dict[str, Cell]:
    """The same of what has any size, as texts: a browser spells 1e20 out."""
    from mlops_assets.ml.summary import spelled

    return {name: spelled(value) for name, value in values.items() if value is not None}


def holds_without(wrong: Any, said: str, **metadata: Any) -> dg.AssetCheckResult:
    """A check that passes if nothing is wrong, and else says what to do."""
    passed = not wrong
    return dg.AssetCheckResult(
        passed=passed, description=None if passed else said, metadata=metadata
    )
