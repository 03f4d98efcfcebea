"""What a value on the command line must look like; `ArgumentTypeError` says it otherwise."""

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from pathlib import Path

_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def reason(text: str) -> str:
    """One line that is not empty."""
    if not (line := " ".join(text.split())):
        raise ArgumentTypeError("say why")
    return line


def span(text: str) -> timedelta:
    """A duration like `7d`."""
    match = re.fullmatch(r"([1-9]\d{0,3}) ?(min|h|d|w)", text)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no duration like 7d, 12h, 30min or 2w")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def number(text: str) -> int:
    """One or more."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no number like 10")
    return int(text)


def windows(text: str) -> int:
    """As many windows as a backtest takes."""
    if not text.isdecimal() or not 3 <= int(text) <= 24:
        raise ArgumentTypeError(f"{text!r} is no number of windows from 3 to 24")
    return int(text)


def length(text: str) -> str:
    """A stretch of a history."""
    from pydantic import TypeAdapter, ValidationError  # 0.05 CPU s, which no help needs

    from mlops_assets.blocks.base import Stretch

    try:
        return TypeAdapter(Stretch).validate_python(text)
    except ValidationError:
        raise ArgumentTypeError(f"{text!r} is no length like '2 weeks' or '1 month'") from None


def encoding(name: str) -> str:
    """One that Python knows."""
    try:
        b"a".decode(name, errors="replace")  # of no bytes nothing is looked up
    except LookupError as err:
        raise ArgumentTypeError(f"{name!r} is no encoding; give one of Python's: cp1252") from err
    return name


def address(text: str) -> str:
    """As seen from where the command was given: `mlops` goes on in the project's folder."""
    return text if "://" in text else str(Path(text).absolute())


def path(text: str) -> Path:
    """The same, of this machine."""
    return Path(text).absolute()
