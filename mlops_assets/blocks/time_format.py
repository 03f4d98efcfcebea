"""Which strptime formats name a moment, told before any data is read, without pandas."""

import re
from datetime import UTC, datetime

_KNOWN = frozenset("aAbBcdfGHIjmMpSuUVwWxXyYz%")
"""Directives that pandas reads; `%Z` apart, whose names are ambiguous."""
_PROBE = datetime(2001, 12, 30, 22, 58, 57, 123456, tzinfo=UTC)


def require_moment(form: str) -> None:
    """Check that `form` is well formed, and that it names a year and no part without the larger.

    `%Y-%m` is the first of a month. Without a year every moment would be one of 1900.

    Raises:
        ValueError: It is not.
    """
    found = re.findall(r"%(.?)", form, re.DOTALL)
    if wrong := [kind for kind in found if kind not in _KNOWN]:
        said = f"`%{wrong[0]}` is no directive of strptime" if wrong[0] else "a `%` ends it"
        raise _refused(form, said)
    if missing := _missing(set(found)):
        raise _refused(form, f"it has no {missing}")
    if twice := next((kind for kind in found if kind != "%" and found.count(kind) > 1), None):
        raise _refused(form, f"`%{twice}` stands in it twice")
    try:
        datetime.strptime(_PROBE.strftime(form), form)  # noqa: DTZ007  only whether it can
    except (ValueError, re.error) as err:
        raise _refused(form, str(err)) from err


def _missing(found: set[str]) -> str | None:
    """What a moment needs that these directives do not say."""
    has = found.intersection
    if not has("YyGcx"):
        return "year, e.g. `%Y`"
    if has("UWVG"):
        by_iso = has("G") and has("V") and has("uwaA") and not has("UW")
        by_week = has("UW") and has("Yy") and has("waA") and not has("GV")
        return None if by_iso or by_week else "whole week and its day, e.g. `%G-W%V-%u`"
    day = has("jcx") or (has("mbB") and has("d"))
    return None if day or not has("dHIMSfpXzuwaA") else "day, e.g. `%m-%d`"


def _refused(form: str, why: str) -> ValueError:
    return ValueError(f"format {form!r}: {why}; write e.g. `%Y-%m-%d %H:%M:%S`")
