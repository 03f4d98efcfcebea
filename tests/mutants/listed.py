"""The mutants of the lists: where each breaks the product, and which tests must fail by it."""

import re
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

ROOT = Path(__file__).resolve().parents[2]


class MutantError(Exception):
    """A mutant that breaks nothing, because the product or the tests have moved on."""


class Mutant(BaseModel):
    """One line of the product that is broken, and the tests that must fail by it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """What the product does then."""
    file: str
    line: str
    """Without its indentation; the file has it exactly once."""
    becomes: str
    tests: tuple[str, ...]
    """Files, or `FILE::TEST` where the file takes long."""

    def broken(self, root: Path) -> str:
        """The text of the file in the checkout `root` with the line replaced.

        Raises:
            MutantError: The line is not there exactly once, or the result is no Python.
        """
        lines = (root / self.file).read_text(encoding="utf-8").splitlines(keepends=True)
        found = [number for number, line in enumerate(lines) if line.strip() == self.line]
        if len(found) != 1:
            raise MutantError(
                f"{self.name}: {self.file} has the line {len(found)} times: {self.line}"
            )
        (number,) = found
        lines[number] = lines[number].replace(self.line, self.becomes)
        text = "".join(lines)
        try:
            compile(text, self.file, "exec")
        except SyntaxError as err:
            raise MutantError(f"{self.name}: {err}") from err
        return text

    def require_tests(self, root: Path) -> None:
        """Look for the tests without running them.

        Raises:
            MutantError: There are none, or one that is named is gone.
        """
        if not self.tests:
            raise MutantError(f"{self.name}: no test must catch it")
        for test in self.tests:
            file, _, name = test.partition("::")
            known = (root / file).exists() and (root / file).read_text(encoding="utf-8")
            if not known or (name and not re.search(rf"^(def )?{re.escape(name)}\b", known, re.M)):
                raise MutantError(f"{self.name}: there is no {test}")


def all_mutants() -> list[Mutant]:
    """Those of all lists.

    Raises:
        MutantError: Two have one name.
    """
    files = sorted(Path(__file__).parent.glob("*.yaml"))
    entries = [one for file in files for one in yaml.safe_load(file.read_text(encoding="utf-8"))]
    mutants = [Mutant.model_validate(entry) for entry in entries]
    names = [mutant.name for mutant in mutants]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise MutantError(f"two mutants have the name {sorted(repeated)}")
    return mutants
