"""Columns as the cells of Feast's online table: keys, values as messages, moments, and digests.

Values of a kind become bytes together, none of them by protobuf. The table itself is for
`resources.online_table`; `mlops_assets.serving.online.sqlite` reads the cells one by one.
"""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_assets.blocks.data import EntitySettings
from mlops_assets.records.data import FeatureView, stored_name
from mlops_assets.serving.online.sqlite import DOUBLE_VAL, STRING_VAL, entity_key


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


def encoded(values: np.ndarray, dtype: str) -> tuple[Sequence[bytes], Sequence[str | None]]:
    """Values as Feast stores them: messages `feast.types.Value`, and their texts; null is none."""
    return _texts(values) if dtype == "string" else _numbers(values)


def _numbers(values: np.ndarray) -> tuple[list[bytes], Sequence[None]]:
    """Feast's SDK writes the texts of numbers too, and reads them nowhere."""
    numbers = values.astype("<f8")
    messages = np.full((len(numbers), 9), DOUBLE_VAL, dtype=np.uint8)
    messages[:, 1:] = numbers.view(np.uint8).reshape(-1, 8)
    found = _slices(messages.tobytes(), 9)
    for missing in np.flatnonzero(np.isnan(numbers)):
        found[missing] = b""
    return found, [None] * len(found)


def _slices(whole: bytes, size: int) -> list[bytes]:
    return [whole[start : start + size] for start in range(0, len(whole), size)]


def _texts(values: np.ndarray) -> tuple[list[bytes], list[str | None]]:
    texts = [None if value is None or value != value else str(value) for value in values]
    messages = {text: _message(text) for text in set(texts)}
    return [messages[text] for text in texts], texts


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
