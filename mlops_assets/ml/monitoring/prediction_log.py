"""The prediction log in columns: rows as files and monitoring have them, made of `log_lines`.

One row per predicted row and role. Key columns `request_id`, `row`, `role`; times are
`datetime64[us, UTC]`; `score` is the probability of the positive class, the value, or (multiclass)
the highest probability; `predicted`, the class, is there for a multiclass model only, and null
where nobody knows its name any more; one column `feature_<name>` per feature, float64 or text, null
where the version did not have it. `entity` is Int64 or text: a float64 would round large ids.

Files are found and read by `resources.prediction_log.log`.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.ml.inference.log_lines import LogLine

KEY = ["request_id", "row", "role"]
FEATURE = "feature_"
UTC_TIME = pa.timestamp("us", "UTC")
_TIMES = ("logged_at", "event_time", "features_as_of")
_TYPES = {
    "request_id": pa.string(),
    "row": pa.int64(),
    **dict.fromkeys(_TIMES, UTC_TIME),
    "source": pa.string(),
    "role": pa.string(),
    "entity": pa.int64(),
    "score": pa.float64(),
    "model_version": pa.int64(),
    "generation": pa.int64(),
    "latency_seconds": pa.float64(),
}
COLUMNS = tuple(_TYPES)
"""What every log has; `predicted` and the features come after."""


def to_table(lines: Sequence[LogLine], classes: Mapping[int, Sequence[str]]) -> pa.Table:
    """Lines of one model as rows, in their order.

    Those of a version without labels of their own get them by `classes`, in the order of scores.
    """
    columns = {name: list(map(attrgetter(name), lines)) for name in COLUMNS if name != "score"}
    scores = list(map(attrgetter("scores"), lines))
    arrays: dict[str, pa.Array] = {
        name: _moments(values) if name in _TIMES else _array(values)
        for name, values in columns.items()
    }
    arrays["score"] = pa.array(list(map(max, scores)), pa.float64())
    if max(map(len, scores), default=1) > 1:
        arrays["predicted"] = pa.array([label_of(line, classes) for line in lines], pa.string())
    features = _features(list(map(attrgetter("features"), lines)))
    table = pa.table(arrays | {f"{FEATURE}{name}": array for name, array in features.items()})
    return as_schema(table, schema_of([table.schema]))


def schema_of(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """What the rows of all have: the union of their columns.

    A feature that is a number in one and text in another is text in all.
    """
    names = dict.fromkeys(name for schema in schemas for name in schema.names)
    others = sorted((n for n in names if n not in _TYPES), key=lambda n: n.startswith(FEATURE))
    types = _TYPES | dict.fromkeys(others, pa.float64())
    texts = {
        field.name for schema in schemas for field in schema if _is_text(field.type)
    }.intersection([*others, "entity"])
    return pa.schema(types | dict.fromkeys([*texts, *({"predicted"} & names.keys())], pa.string()))


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with these columns; null where they have no value, a NaN among them."""
    arrays = [
        _typed(table[field.name], field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Rows of all tables, over the union of their columns."""
    tables = [table for table in tables if len(table)]
    schema = schema_of([table.schema for table in tables])
    return pa.concat_tables([schema.empty_table(), *(as_schema(one, schema) for one in tables)])


def to_frame(tables: Sequence[pa.Table]) -> pd.DataFrame:
    """Rows of all tables, over the union of their columns, in the order of event time."""
    together = concat(tables)
    place = together.schema.names.index("entity")
    ids = together["entity"].to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    frame = together.remove_column(place).to_pandas()
    frame.insert(place, "entity", ids)
    return frame.sort_values("event_time", kind="stable", ignore_index=True)


def combine(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Rows of all frames, as `to_frame`."""
    return to_frame([pa.Table.from_pandas(frame, preserve_index=False) for frame in frames])


def without_duplicates(rows: pd.DataFrame) -> pd.DataFrame:
    """The first row of each key."""
    return rows.drop_duplicates(KEY, ignore_index=True)


def key_digests(keys: pa.Table) -> np.ndarray:
    """128 bits for each key, `[rows, 2]` of uint64: equal for equal keys.

    Of a billion different ones two have the same once in 10^20 logs; as texts they take 100 bytes.
    """
    frame = keys.select(KEY).to_pandas(categories=["role"], deduplicate_objects=False)
    halves = [
        pd.util.hash_pandas_object(frame, index=False, hash_key=half, categorize=False)
        for half in ("prediction log 0", "prediction log 1")
    ]
    return np.column_stack([half.to_numpy() for half in halves])


def are_new(known: np.ndarray, digests: np.ndarray) -> np.ndarray:
    """Of each of `digests` whether it is neither among the known ones nor was there before."""
    every = np.concatenate([known, digests])
    order = np.lexsort((every[:, 1], every[:, 0]))  # stable: of equal ones the first stays first
    sorted_ones = every[order]
    first = np.ones(len(every), dtype=bool)
    first[order[1:]] = (sorted_ones[1:] != sorted_ones[:-1]).any(axis=1)
    return first[len(known) :]


def label_of(line: LogLine, classes: Mapping[int, Sequence[str]]) -> str | None:
    """The class that a line says, or `classes` of its version; None if neither does."""
    labels = classes.get(line.model_version, ())
    if line.predicted is not None or len(labels) != len(line.scores):
        return line.predicted
    return labels[line.scores.index(max(line.scores))]


def _features(rows: list[dict[str, Any]]) -> dict[str, pa.Array]:
    """A column of each feature, in the order in which they come."""
    try:
        # As one column of structs, which Arrow makes of dicts by itself.
        together = pa.array(rows, pa.struct([]) if not any(rows) else None)
    except pa.ArrowException:  # a number in one row, text in another
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: _array([row.get(name) for row in rows]) for name in names}
    found = dict(zip([field.name for field in together.type], together.flatten(), strict=True))
    return {name: found[name] for name in dict.fromkeys([*(rows[0] if rows else ()), *found])}


def _array(values: list[Any]) -> pa.Array:
    kinds = set(map(type, values))
    if str in kinds and not kinds <= {str, type(None)}:
        values = [None if value is None else str(value) for value in values]
    return pa.array(values)


def _moments(seconds: list[float | None]) -> pa.Array:
    """By whole microseconds; what is fractional is rounded."""
    micros = np.rint(np.array(seconds, dtype=np.float64) * 1e6)
    missing = np.isnan(micros)
    return pa.array(np.where(missing, 0, micros).astype(np.int64), mask=missing).cast(UTC_TIME)


def _typed(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind and not pa.types.is_floating(kind):
        return column
    if pa.types.is_string(kind) and pa.types.is_floating(column.type):
        # As Python spells a number, `4.0`, each different one once.
        encoded = _typed(column, column.type).combine_chunks().dictionary_encode()
        texts = pa.array(list(map(str, encoded.dictionary.to_pylist())), kind)
        column = pa.chunked_array([pa.DictionaryArray.from_arrays(encoded.indices, texts)])
    if pa.types.is_floating(kind):
        numbers = column.cast(kind).to_numpy()  # NaN where null
        return pa.chunked_array([pa.array(numbers, kind, from_pandas=True)])
    return column.cast(kind, safe=kind != UTC_TIME)


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(value) or pa.types.is_large_string(value)
