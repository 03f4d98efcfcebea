"""Ids as they stand in other people's tables."""

from typing import Literal

from hypothesis import strategies as st

IdKind = Literal["small", "near_2_53", "int64", "digits", "text", "uuid"]
KINDS: tuple[IdKind, ...] = ("small", "near_2_53", "int64", "digits", "text", "uuid")

_LIKE_NOTHING = ("nan", "NaN", "None", "null", "NULL", "NA", "n/a", "-", "true", "False")
_LIKE_NUMBERS = ("007", "7", "7.0", "1e5", "-0", "+1", "0x1F", "1_000", "9007199254740993")
_LIKE_TROUBLE = (" a", "a ", "a,b", 'say "x"', "a;b", "Größe", "日本", "=1+1", "a\tb", "x" * 300)


def ids(kind: IdKind) -> st.SearchStrategy[int | str]:
    """Ids of one kind; integers fit 64 bits, no text is empty."""
    if kind == "small":
        return st.integers(-5, 500)
    if kind == "near_2_53":
        return st.integers(2**53 - 3, 2**53 + 300) | st.integers(-(2**53) - 300, -(2**53) + 3)
    if kind == "int64":
        return st.integers(-(2**63), 2**63 - 1) | st.sampled_from([2**63 - 1, -(2**63), 0])
    if kind == "digits":
        return st.integers(0, 9999).map(lambda number: f"{number:06d}")
    if kind == "uuid":
        return st.uuids().map(str)
    return st.sampled_from((*_LIKE_NOTHING, *_LIKE_NUMBERS, *_LIKE_TROUBLE)) | st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_categories=["Cs", "Cc"]),
        min_size=1,
        max_size=20,
    )


def dtype(kind: IdKind) -> Literal["int64", "string"]:
    """What the contract calls them."""
    return "int64" if kind in ("small", "near_2_53", "int64") else "string"
