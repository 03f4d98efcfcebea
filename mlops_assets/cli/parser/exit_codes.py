"""How `mlops` ends: every exit code, and what it means."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Documented in docs/reference/cli.md, which a test holds against this."""

    GOOD = 0
    BAD = 1
    USAGE = 2
    CANCELED = 130

    @property
    def meaning(self) -> str:
        """For whoever reads the code of a command."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.GOOD: "all is as it was asked for, and as it should be",
    ExitCode.BAD: "something failed, was refused, or is not as it should be; stderr says what, and "
    "what to do",
    ExitCode.USAGE: "nothing was done: the command is not spelled right, or a person must decide "
    "first (`init`, which says what)",
    ExitCode.CANCELED: "ended by Ctrl-C or SIGTERM; what is complete stays, and the same command "
    "goes on from there",
}
