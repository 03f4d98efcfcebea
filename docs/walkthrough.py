"""Run the commands of a page in an empty folder, and hold what they print against the page.

In a block ```console, a line that begins with `$ ` is a command (up to the end of a here-document),
the others are what it prints, in this order; `...` stands for anything.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

TUTORIAL = Path(__file__).with_name("tutorial") / "first-model.md"
PORT = "8111"
"""Stands on the page; where the commands run it is another that is free."""
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END = "----- end of step"
_SECONDS = 1200


class WalkthroughError(Exception):
    """A command failed, or printed something else than the page shows."""


@dataclass(frozen=True)
class Step:
    """A command of the page, and the lines that it shows below."""

    command: str
    shown: tuple[str, ...]


def steps(text: str) -> list[Step]:
    """The commands of a page, in its order."""
    found = []
    for block in _BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            here = re.search(r"<<'(\w+)'$", lines[0])
            length = lines.index(here[1]) + 1 if here else 1
            found.append(Step("\n".join(lines[:length]), tuple(lines[length:])))
    return found


def tutorial(port: int) -> list[Step]:
    """The steps of the tutorial, with its model on a port that is free here."""
    return steps(TUTORIAL.read_text(encoding="utf-8").replace(PORT, str(port)))


def walk(todo: Sequence[Step], folder: Path) -> None:
    """Run all steps in one shell, in `folder`.

    Raises:
        WalkthroughError: A step fails, or prints something else than the page shows.
    """
    script = "\n".join(f"{step.command}\nprintf '\\n%s\\n' '{_END} '$?" for step in todo)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")
    }
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S603
        ["/bin/bash", "-c", script],
        **{"cwd": folder, "env": environment, "timeout": _SECONDS, "text": True},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    printed = re.split(rf"^{_END} (\d+)$\n?", done.stdout, flags=re.MULTILINE)
    wrong = [
        f"$ {step.command}\n{text}\nexit code {code}; nowhere is {missing}"
        for step, text, code in zip(todo, printed[::2], printed[1::2], strict=False)
        if (missing := list(not_printed(step, text))) or code != "0"
    ]
    if len(printed) != 2 * len(todo) + 1:
        wrong.append(f"the shell ended early:\n{printed[-1]}")
    if wrong:
        raise WalkthroughError("\n\n".join(wrong))


def not_printed(step: Step, text: str) -> Iterator[str]:
    """Lines of the page that the command did not print, or not in this order."""
    printed = iter(text.splitlines())
    for line in step.shown:
        pattern = ".*".join(map(re.escape, line.split("...")))
        if line != "..." and not any(re.fullmatch(pattern, one) for one in printed):
            yield line
