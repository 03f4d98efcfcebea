"""Columns as the cells of Feast's online table: keys, values as messages, moments, and digests.

Values of a kind become bytes together, none of them by protobuf. The table itself is for
`resources.online_table`; `mlops_assets.serving.online.sqlite` reads the cells one by one.
"""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from msgspec.json import Encoder

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.records.data import FeatureView, stored_name
from mlops_assets.serving.online.sqlite import DOUBLE_VAL, STRING_VAL, entity_key

NUMBER_SIZE = 9
"""Bytes of the message of a number."""
MISSING = bytes([DOUBLE_VAL]) + np.array(np.nan, dtype="<f8").tobytes()
"""The message of no number, where all are equally long; what is stored is empty."""


def keys_of(entity: EntitySettings, ids: pa.Array) -> tuple[np.ndarray, list[bytes]]:
    """The order of ids by their keys, and these in that order."""
    if entity.dtype != "int64":
        found = np.array([entity_key(entity, who) for who in ids.to_pylist()], dtype=object)
        order = np.argsort(found, kind="stable")
        return order, found[order].tolist()
    # A key ends with its id, whose lowest byte comes first.
    numbers, prefix = ids.to_numpy().astype("<i8"), entity_key(entity, 0)[:-8]
    order = np.argsort(numbers.view("<u8").byteswap(), kind="stable")
    return order, [prefix + number for number in _slices(numbers[order].tobytes(), 8)]


def digests_of(
    rows: pd.DataFrame, view: FeatureView, places: np.ndarray, moments: np.ndarray
) -> np.ndarray:
    """64 bits of what is published of each entity: that another says the same is 1 in 10^19."""
    hashing = pd.util.hash_array
    names = json.dumps({stored_name(n): view.features[n] for n in sorted(view.features)})
    digest = hashing(moments) ^ hashing(np.array([names], dtype=object))
    for name in sorted(view.features):
        values = rows[name].to_numpy()[places]
        if view.features[name] != "string":
            values = values.astype(np.float64).view(np.uint64)  # each pattern of bits is another
        else:
            digest = digest ^ pd.isna(values).astype(np.uint64)  # "None" is hashed as None is
        # Of equal columns in another order the sum would be the same.
        digest = hashing(digest * np.uint64(31) + hashing(values))
    return digest.view(np.int64)


def numbers(columns: Sequence[np.ndarray], rows: int) -> list[bytes]:
    """Of each row the messages of its numbers, one behind the other; `MISSING` where none is.

    Feast's SDK writes the texts of numbers too, and reads them nowhere.
    """
    messages = np.empty((rows, len(columns), NUMBER_SIZE), dtype=np.uint8)
    messages[:, :, 0] = DOUBLE_VAL
    for place, column in enumerate(columns):
        values = column.astype("<f8")
        values[np.isnan(values)] = np.nan  # of which there are many patterns of bits
        messages[:, place, 1:] = values.view(np.uint8).reshape(-1, 8)
    size = len(columns) * NUMBER_SIZE
    return _slices(messages.tobytes(), size) if size else [b""] * rows


def _slices(whole: bytes, size: int) -> list[bytes]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def texts(values: np.ndarray) -> tuple[list[bytes], list[str | None]]:
    """Texts as Feast stores them: messages `feast.types.Value`, and themselves; null is none."""
    found = words(values)
    messages = {text: _message(text) for text in set(found)}
    return [messages[text] for text in found], found


def words(values: np.ndarray) -> list[str | None]:
    """Texts, of which null is none."""
    return [None if value is None or value != value else str(value) for value in values]


def json_rows(columns: Sequence[np.ndarray], rows: int) -> list[bytes]:
    """The texts of each row as a JSON array; null is none."""
    if not columns:
        return [b"[]"] * rows
    encode = Encoder().encode
    return [encode(row) for row in zip(*(words(column) for column in columns), strict=True)]


def _message(text: str | None) -> bytes:
    if text is None:
        return b""
    content = text.encode()
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((STRING_VAL, *length, size)) + content


def spelled(moments: np.ndarray) -> list[str]:
    """As `mlops_assets.serving.online.moments.spell` has them."""
    texts = np.datetime_as_string(moments.astype("datetime64[us]"), unit="us").tolist()
    return [f"{text}+00:00" for text in texts]
