"""Values of a target: which one a person means, and which may be slips rather than classes."""

import re
from collections.abc import Mapping, Sequence

from mlops_assets.blocks.base import did_you_mean
from mlops_assets.errors import ConfigError
from mlops_assets.init.questions import Answers

POSITIVE = re.compile(
    r"^(yes|y|true|1|1\.0|positive|pos|approved|churn(ed)?|default(ed)?|fraud(ulent)?|spam|malignant|"
    r"bad|died|dead|failed|failure|sick|ill|>\s?50k\.?|ja|oui|won|accepted|converted|buy|bought)$",
    re.IGNORECASE,
)
"""What a positive class is often called."""
_FEWEST = 3
_MOST_CLASSES = 50
_RARE = 0.005
_OTHERS = 0.01
_TIMES = 10
"""How often what a slip is of is there, at least, for each of its own rows."""
_LONG_ENOUGH = 3


def class_meant(given: str, names: Sequence[str]) -> str:
    """The class that `--positive` names, also by its number or in another case; empty without one.

    Raises:
        ConfigError: There is no such class.
    """
    alike = [name for name in names if _plain(name) == _plain(given)]
    if not given or given in names or len(alike) == 1:
        return given if not given or given in names else alike[0]
    hint = did_you_mean([given], list(names))
    raise ConfigError(f"--positive {given!r} is none of {list(names)}{hint or '; choose one'}")


def require_two(given: str, source: str, names: Sequence[str]) -> None:
    """Refuse a positive class of a target that has not two.

    Raises:
        ConfigError: One was given.
    """
    if given:
        raise ConfigError(
            f"--positive {given!r} is of a target of two values, and {source!r} has "
            f"{len(names)}: {list(names)[:12]}; correct them, or leave the option out"
        )


def doubt_classes(source: str, counts: Mapping[str, int], answers: Answers) -> str:
    """What is said of values so rare that they may be slips; empty where a person decided.

    Raises:
        ConfigError: They are slips, a person says.
        UndecidedError: Nobody said whether they are.
    """
    slips = find_slips(counts) if len(counts) <= _MOST_CLASSES else {}
    if not slips:
        return ""
    name, near = next(iter(slips.items()))
    beside = f", beside {near!r} in {counts[near]}" if near else ""
    more = f" (and {len(slips) - 1} such values more)" if len(slips) > 1 else ""
    said = f"{name!r} in {counts[name]} of {sum(counts.values())} rows{beside}{more}"
    remedy = "correct the source"
    if not _number(name):
        remedy += f", or say --missing {name!r} if it means no value"
    asked = f"the target {source!r} is {said}: is that a class of its own? If not, {remedy}"
    if answers.ask("classes", asked, "yes", ["yes", "no"]) != "yes":
        raise ConfigError(f"the target {source!r} is {said}, which is no class; {remedy}")
    return "" if answers.given("classes") else f"; {said}, may be a slip"


def find_slips(counts: Mapping[str, int]) -> dict[str, str]:
    """Value -> the class that it may be a slip of; empty where it is like none.

    One that differs from a more frequent one in case or blanks alone, or that is rare. Rare is
    what fewer than 3 rows have, or 0.5 %. Like another class is what differs in case, blanks, the
    way a number is written, or a letter; like none, what stands beside two classes that 99 % of
    the rows have. Of two values a letter tells them apart: `ok` and `nok`.
    """
    rows = sum(counts.values())
    rare = {name for name, count in counts.items() if count < max(_FEWEST, _RARE * rows)}
    usual = {name: count for name, count in counts.items() if name not in rare}
    first = {_plain(name): name for name in sorted(usual, key=lambda one: usual[one])}
    found = {name: first[_plain(name)] for name in usual if first[_plain(name)] != name}
    for name in (name for name in counts if name in rare):
        near = [
            one
            for one, count in usual.items()
            if count >= _TIMES * counts[name]
            and (_plain(one) == _plain(name) or (len(counts) > 2 and _is_near(one, name)))
        ]
        if near:
            found[name] = near[0]
        elif len(usual) == 2 and sum(usual.values()) > (1 - _OTHERS) * rows:
            found[name] = ""
    return found


def _plain(text: str) -> str:
    number = _number(text)
    return number or " ".join(text.split()).casefold()


def _number(text: str) -> str:
    """A number however it is written, else nothing."""
    try:
        return f"{float(text):.17g}"
    except ValueError:
        return ""


def _is_near(one: str, other: str) -> bool:
    """Whether a letter is wrong, missing, too much or swapped; of codes each digit counts."""
    first, second = sorted((_plain(one), _plain(other)), key=len)
    if len(first) < _LONG_ENOUGH or any(sign.isdigit() for sign in first + second):
        return False
    at = next((n for n, sign in enumerate(first) if sign != second[n]), len(first))
    left, right = first[at:], second[at:]
    swapped = left[1::-1] + left[2:] == right and len(left) > 1
    return left[1:] == right[1:] or left == right[1:] or swapped
