"""Files or a user's function -> one DataFrame with exactly the contract's columns, and back.

Columns are called here as the source calls them; `ml.data.contract` gives them their own names.

Reading is strict: what does not look as declared is a `SourceError` that names the remedy, never a
guess. Text stays text (`ml.data.contract` gives it types); parquet and loader frames keep their
types.
"""

import difflib
import inspect
import traceback
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mlops_assets.blocks.data import SourceSettings
from mlops_assets.dotted import import_object
from mlops_assets.errors import LoaderError, MlopsError, SourceError
from mlops_assets.ml.data.formats.delimited import open_text, parse_text
from mlops_assets.ml.data.formats.json_lines import JsonLines
from mlops_assets.ml.data.formats.parquet import ParquetTable, joined
from mlops_assets.ml.data.formats.workbook import open_sheet
from mlops_assets.ml.data.sources import partitions_of
from mlops_assets.runtime.atomic import write_atomically

Extra = Literal["refuse", "drop"]


def read_table(
    files: Sequence[Path], source: SourceSettings, columns: Sequence[str], extra: Extra
) -> pd.DataFrame:
    """All rows of `files`, in order, with exactly `columns`.

    Text formats, also JSON lines, give object columns of str and None; parquet gives its own types,
    where an integer column with missing values becomes an object column of int and None, so that
    none is rounded.

    Args:
        files: At least one; .gz, .bz2, .xz, .zst and .zip are decompressed in memory.
        source: Format, delimiter, header and missing texts.
        columns: The contract's, which are also the result's, in this order.
        extra: What a further column means.

    Raises:
        SourceError: A file is damaged, is not as declared, or has other columns than the first.
    """
    if not files:
        raise SourceError("no file to read; check `source.uri`.")
    names, tables = {}, []
    for path in files:
        names[str(path)], table = read_file(path, source, columns, extra)
        tables.append(table)
    require_same_columns(names, source)
    return one_table(tables, str(files[0])).to_pandas(integer_object_nulls=True)


def require_same_columns(found: Mapping[str, Sequence[str]], source: SourceSettings) -> None:
    """Check that all files of a source have the columns of the first; of each, its names.

    Raises:
        SourceError: They have not. A line of JSON leaves out what has no value, so a file of that
            may lack what no row of it has.
    """
    (first, columns), *others = found.items()
    for path, names in others:
        if set(names) != set(columns) and source.format != "jsonl":
            raise SourceError(
                f"{path} has the columns {list(names)}, but {first} has {list(columns)}. Files of "
                "one source must have the same columns; correct one, or narrow the glob of "
                "`source.uri`."
            )


def one_table(tables: Sequence[pa.Table], first: str) -> pa.Table:
    """All rows of tables of `read_file`; `SourceError` if their types differ, of `first` the name.

    To pandas it goes with `integer_object_nulls`, as `read_table` says.
    """
    try:
        return joined(tables)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as err:
        raise SourceError(
            f"{first} and its siblings differ in types: {err}. Write them with one schema."
        ) from err


def check_columns(
    frame: pd.DataFrame, columns: Sequence[str], extra: Extra, where: str
) -> pd.DataFrame:
    """`frame` with exactly `columns`, in that order; not copied, never modified.

    Args:
        frame: Rows of any origin.
        columns: The contract's.
        extra: What a further column means.
        where: The frame's origin, for the message.

    Raises:
        SourceError: A column is missing, doubled, or extra and refused.
    """
    keep = match_columns(list(frame.columns), columns, extra, where)
    return frame if list(frame.columns) == keep else frame[keep]


def find_loader(dotted_path: str) -> Callable[[], object]:
    """The user's function.

    Raises:
        DottedPathError: There is none.
        SourceError: It cannot be called without arguments.
    """
    loader = import_object(dotted_path)
    try:
        inspect.signature(loader).bind()
    except (TypeError, ValueError) as err:
        raise SourceError(
            f"source.loader {dotted_path!r} cannot be called without arguments ({err}); name a "
            "function that takes none and returns a pandas DataFrame."
        ) from err
    return loader


def run_loader(dotted_path: str) -> pd.DataFrame:
    """The rows that the user's function returns.

    Raises:
        DottedPathError: There is no such function.
        SourceError: It does not return a DataFrame with rows.
        LoaderError: It raised something, which may pass: most loaders ask another machine.
    """
    loader = find_loader(dotted_path)
    try:
        frame = loader()
    except MlopsError:
        raise
    except Exception as err:
        last = traceback.extract_tb(err.__traceback__)[-1]
        raise LoaderError(
            f"source.loader {dotted_path!r} raised {type(err).__name__}: {err} "
            f"({last.filename}:{last.lineno}); correct it, or what it reads."
        ) from err
    if not isinstance(frame, pd.DataFrame):
        raise SourceError(
            f"source.loader {dotted_path!r} returned a {type(frame).__name__}; "
            "return a pandas DataFrame."
        )
    if frame.empty:
        raise SourceError(
            f"source.loader {dotted_path!r} returned a frame of shape {frame.shape}, without "
            "values. Return at least one row, or raise what went wrong."
        )
    return frame


def frame_to_parquet(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame` without its index; the same frame always gives the same bytes.

    Data versions need that. The previous file stays if writing fails.

    Raises:
        SourceError: A column holds values of several types, or two columns have one name.
        StateError: The file cannot be written.
    """
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as err:
        raise SourceError(
            f"cannot store the frame as parquet: {err}. Give every column one type and one name."
        ) from err
    table = table.replace_schema_metadata(None)  # pandas' own names its version
    write_atomically(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read_file(
    path: Path, source: SourceSettings, columns: Sequence[str], extra: Extra
) -> tuple[list[str], pa.Table]:
    """The names of all columns of one file and its folders, and the wanted ones as a table.

    Raises:
        SourceError: As `read_table`.
    """
    said = folder_values(path, source, columns, extra)
    inside = [name for name in columns if name not in said]
    names, table = _read_one(path, source, inside, extra)
    return [*names, *said], with_folders(table, said, source, columns)


def folder_values(
    path: Path, source: SourceSettings, columns: Sequence[str], extra: Extra
) -> dict[str, str]:
    """What the folders of a file say of its rows; `SourceError` for what nobody wants to know."""
    said = partitions_of(path, source.partitions)
    if (unknown := sorted(said.keys() - set(columns))) and extra == "refuse":
        raise SourceError(
            f"{path}: its folders say {unknown}, which are not in the contract. Add them to "
            "`contract.columns`, or remove them from `source.partitions`."
        )
    return said


def with_folders(
    table: pa.Table, said: Mapping[str, str], source: SourceSettings, columns: Sequence[str]
) -> pa.Table:
    """The rows of a file with what its folders say, the columns in this order."""
    for name, value in said.items():
        known = None if value in ("", *source.missing) else value
        values = pa.repeat(pa.scalar(known, pa.string()), table.num_rows)
        table = table.append_column(name, values)
    return table.select(list(columns)) if said else table


def _read_one(
    path: Path, source: SourceSettings, columns: Sequence[str], extra: Extra
) -> tuple[list[str], pa.Table]:
    """Names of all columns in the file, and the wanted ones as a table."""
    if source.format == "parquet":
        stored = ParquetTable(path)
        return stored.names, stored.table(match_columns(stored.names, columns, extra, str(path)))
    if source.format == "excel":
        sheet = open_sheet(path, source.sheet, source.skip_rows, source.columns)
        keep = match_columns(sheet.names, columns, extra, sheet.where)
        return sheet.names, sheet.table(keep, source.missing)
    if source.format == "jsonl":
        lines = JsonLines(path, source.encoding)
        keep = match_columns(lines.names, columns, extra, str(path))
        return lines.names, lines.table(keep, source.missing)
    text = open_text(path, source, columns)
    keep = match_columns(text.names, columns, extra, str(path))
    return text.names, parse_text(text, keep, source.missing)


def match_columns(
    found: Sequence[Hashable], columns: Sequence[str], extra: Extra, where: str
) -> list[str]:
    """`columns`, if `found` has each of them once and nothing that is refused."""
    if doubled := [name for name, times in Counter(found).items() if times > 1]:
        raise SourceError(
            f"{where}: the columns {doubled} occur more than once in {list(found)}. "
            "Rename or remove the second."
        )
    unknown = [name for name in found if name not in columns]
    if missing := [name for name in columns if name not in found]:
        hints = [
            f" Has {name!r} been renamed to {near[0]!r}?"
            for name in missing
            if (near := difflib.get_close_matches(name, map(str, unknown), n=1))
        ]
        raise SourceError(
            f"{where}: the columns {missing} are missing; it has {list(found)}.{''.join(hints)} "
            "Correct the source, or `contract.columns`, where `from` is the name in the source."
        )
    if unknown and extra == "refuse":
        raise SourceError(
            f"{where}: the columns {unknown} are not in the contract. Add them to "
            "`contract.columns`, or set `contract.extra_columns: drop`."
        )
    return list(columns)
