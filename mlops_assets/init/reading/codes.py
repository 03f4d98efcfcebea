"""Codes of two letters of which `NA` is one, so that it means a value there."""

import re

import pandas as pd

NA = "NA"
_CODE = re.compile(r"[A-Z]{2}")
_MANY = 20
_MOSTLY = 0.9
_STATES = frozenset(
    re.findall(
        _CODE,
        "AL AK AZ AR CA CO CT DC DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH "
        "NJ NM NY NC ND OH OK OR PA PR RI SC SD TN TX UT VT VA WA WV WI WY",
    )
)
"""Many codes of two letters of which `NA` is none."""
_CONTINENTS = frozenset({"AF", "AN", "AS", "EU", "OC", "SA"})


def na_is_code(counts: pd.Series) -> bool:
    """Whether `NA` is a code such as that of Namibia, by how often each text is there.

    The others are many codes of two capital letters, not those of states of the USA; or continents.
    """
    others = counts.drop(NA, errors="ignore")
    if len(others) == len(counts) or not all(map(_CODE.fullmatch, others.index)):
        return False
    codes = set(others.index)
    many = len(codes) >= _MANY and len(codes & _STATES) < _MOSTLY * len(codes)
    return (many and counts[NA] <= others.max()) or (len(codes) > 3 and codes <= _CONTINENTS)
