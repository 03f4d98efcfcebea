"""What cannot be told from a table: asked of a person, or refused by name.

A question has an option of the command line that answers it, and a default.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mlops_assets.errors import ConfigError

NONE = "none"
"""The answer that there is no such column."""


class Question(NamedTuple):
    """What is asked."""

    option: str
    text: str
    default: str
    choices: tuple[str, ...]


class UndecidedError(ConfigError):
    """A question that nobody answered; the message names the option that does."""

    def __init__(self, asked: Question) -> None:
        choices = ", ".join(asked.choices[:12]) or "a text"
        super().__init__(
            f"{asked.text} ({choices}); say --{asked.option} {asked.default!r} or "
            "another, or --yes for what is likely"
        )
        self.asked = asked


@dataclass(frozen=True)
class Answers:
    """Answers given by options, and who answers the rest."""

    options: Mapping[str, str | None] = field(default_factory=dict)
    person: Callable[[Question], str] | None = None
    likely: bool = False
    """Whether every default is taken."""

    def given(self, option: str) -> str:
        """What was given by an option, or an empty text."""
        return self.options.get(option) or ""

    def ask(self, option: str, text: str, default: str, choices: Sequence[str]) -> str:
        """The option's value, or the default where it may be taken, or what a person says.

        Raises:
            UndecidedError: There is nobody to ask.
        """
        if given := self.given(option):
            return given
        asked = Question(option, text, default, tuple(choices))
        if self.likely:
            return default
        if self.person is None:
            raise UndecidedError(asked)
        return self.person(asked) or default
