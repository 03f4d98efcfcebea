"""Ids as they stand in other people's tables."""

import uuid
from typing import Literal

import numpy as np

IdKind = Literal["small", "near_2_53", "int64", "digits", "text", "uuid"]
KINDS: tuple[IdKind, ...] = ("small", "near_2_53", "int64", "digits", "text", "uuid")

_TEXTS = (
    *("nan", "NaN", "None", "null", "NULL", "NA", "n/a", "-", "true", "False"),
    *("007", "7", "7.0", "1e5", "-0", "+1", "0x1F", "1_000", "9007199254740993"),
    *(" a", "a ", "a,b", 'say "x"', "a;b", "Größe", "Größe", "日本", "=1+1", "a\tb", "x" * 300),
)
"""They look like nothing, like numbers, or like trouble."""


def ids(kind: IdKind, count: int, rng: np.random.Generator) -> list[int | str]:
    """`count` different ids of one kind, in no order; integers fit 64 bits, no text is empty."""
    if kind == "small":
        found = list(range(-2, count - 2))
    elif kind == "near_2_53":
        found = [sign * (2**53 + n) for n in range(-3, count) for sign in (1, -1)]
    elif kind == "int64":
        drawn = rng.integers(-(2**63), 2**63 - 1, count).tolist()
        found = list(dict.fromkeys([2**63 - 1, -(2**63), 0, *drawn]))
    elif kind == "digits":
        found = [f"{n:06d}" for n in range(count)]
    elif kind == "uuid":
        found = [str(uuid.UUID(bytes=rng.bytes(16))) for _ in range(count)]
    else:
        found = [*_TEXTS, *(f"{text}{n}" for n in range(count) for text in _TEXTS)]
    return [found[k] for k in rng.permutation(min(len(found), count * 2))[:count]]


def dtype(kind: IdKind) -> Literal["int64", "string"]:
    """What the contract calls them."""
    return "int64" if kind in ("small", "near_2_53", "int64") else "string"
