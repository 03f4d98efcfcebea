"""What is predicted: the task of a target column, and of a binary one the positive class."""

from typing import NamedTuple

import pandas as pd

from mlops_assets.blocks.base import Task
from mlops_assets.errors import ConfigError
from mlops_assets.init.columns.found import Found
from mlops_assets.init.doubts.classes import (
    POSITIVE,
    class_meant,
    doubt_classes,
    find_slips,
    require_two,
)
from mlops_assets.init.questions import Answers
from mlops_assets.init.reading.column import Column

_MOST_CLASSES = 50
_FEW_NUMBERS = 12
_ROWS_OF_A_CLASS = 10
_TASKS = ("binary", "multiclass", "regression")


class Target(NamedTuple):
    """What is predicted: a column of a flat table."""

    source: str
    task: Task
    why: str
    positive: str | int | float | bool | None = None
    counts: dict[str, int] | None = None
    """Of the classes."""
    likely: bool = False


def find_target(column: Column, found: Found, answers: Answers) -> Target:
    """The task, and of a binary one the positive class.

    Raises:
        ConfigError: There is nothing to learn.
        UndecidedError: Nobody knows which class is the positive one.
    """
    counts = column.counts
    if len(counts) < 2:
        only = f"is {counts.index[0]!r} wherever it has a value" if len(counts) else "has no value"
        raise ConfigError(f"the target {column.source!r} {only}; name a column whose values differ")
    classes = {str(name): int(count) for name, count in counts.items()}
    task = answers.given("task")
    if task and task not in _TASKS:
        raise ConfigError(f"--task {task!r} is none of {list(_TASKS)}; choose one")
    if task == "regression" or (not task and _is_regression(found, counts)):
        regression = _regression(column, found)
        return regression if task or len(counts) > _FEW_NUMBERS else _in_doubt(regression, counts)
    given = answers.given("positive")
    if found.rule == "yes_no" and task != "multiclass":
        return _yes_no(column, found, classes, given)
    is_number = found.rule in ("signed_number", "padded") and found.use == "left out"
    if is_number and not task and len(counts) > _FEW_NUMBERS:
        raise ConfigError(f"the target {column.source!r} holds {found.why}")
    doubted = doubt_classes(column.source, classes, answers)
    if len(counts) == 2 and task != "multiclass":
        target = _binary(column, found, classes, answers)
        return target._replace(why=target.why + doubted, likely=target.likely or bool(doubted))
    if len(counts) > _MOST_CLASSES or found.rule == "text":
        raise ConfigError(
            f"the target {column.source!r} has {len(counts)} different values in "
            f"{len(column.present)} rows, too many to be classes; name another column"
        )
    require_two(given, column.source, list(classes))
    said = f"{len(counts)} classes, the rarest {counts.index[-1]!r} of {counts.iloc[-1]} rows"
    likely = found.numbers is not None or bool(doubted)
    return Target(column.source, "multiclass", said + doubted, counts=classes, likely=likely)


def _is_regression(found: Found, counts: pd.Series) -> bool:
    if found.numbers is None or found.rule in ("yes_no", "leading_zeros"):
        return False
    values = found.numbers.dropna()
    if len(counts) == 2:
        return False
    if len(counts) > _FEW_NUMBERS or (values % 1 != 0).any():
        return True
    called_so = found.rule == "code"
    slips = {} if called_so else find_slips({str(name): int(n) for name, n in counts.items()})
    rows = counts.mean() if called_so else counts.drop(index=list(slips)).min()
    return bool(rows < _ROWS_OF_A_CLASS)


def _in_doubt(regression: Target, counts: pd.Series) -> Target:
    """A regression of numbers so few that they may be classes."""
    said = f"; {counts.index[-1]!r} in {counts.iloc[-1]} rows, so no classes but by --task"
    return regression._replace(why=regression.why + said, likely=True)


def _regression(column: Column, found: Found) -> Target:
    if found.numbers is None:
        raise ConfigError(
            f"--task regression: the target {column.source!r} holds no numbers; {found.why}"
        )
    values = found.numbers.dropna()
    counted = bool(0 <= values.min() <= 1 and (values % 1 == 0).all())
    kind = "a count, " if counted else ""
    said = f"{kind}{values.nunique()} different numbers from {values.min():g} to {values.max():g}"
    return Target(column.source, "regression", said)


def _yes_no(column: Column, found: Found, classes: dict[str, int], given: str) -> Target:
    meant, positive = class_meant(given, list(classes)), None
    if meant and found.numbers is not None:
        is_yes = found.numbers[column.texts.to_pylist().index(meant)] == 1
        positive = None if is_yes else False
    return Target(column.source, "binary", found.why, positive, classes, found.likely)


def _binary(column: Column, found: Found, classes: dict[str, int], answers: Answers) -> Target:
    names = list(classes)
    meant = class_meant(answers.given("positive"), names)
    if set(names) <= {"0", "1", "0.0", "1.0"} and float(meant or 1) == 1:
        return Target(column.source, "binary", "0 or 1", counts=classes)
    rarer = names[-1]
    known = [name for name in names if POSITIVE.match(name.strip())]
    if found.numbers is not None:
        positive = meant or max(names, key=float)
        value = float(positive)
        number = int(value) if value.is_integer() else value
        said = f"two numbers, of which {positive} is taken for the positive class"
        return Target(column.source, "binary", said, number, classes, likely=not meant)
    if not meant and len(known) != 1:
        asked = f"which value of the target {column.source!r} is the positive class?"
        meant = class_meant(answers.ask("positive", asked, rarer, names), names)
    positive = meant or known[0]
    share = classes[positive] / sum(classes.values())
    said = f"two texts, {positive!r} the positive one in {share:.2%} of the rows"
    return Target(column.source, "binary", said, positive, classes)
