"""The verbs `init` and `schema`.

A table of one's own -> the YAML of its model, that runs as it stands, and what editors know of it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.cli.context import say
from mlops_assets.cli.failures import said_of
from mlops_assets.cli.init.page import PAGE
from mlops_assets.cli.init.writing import write_model, write_schema
from mlops_assets.cli.parser.exit_codes import ExitCode
from mlops_assets.components.model_files import read_parts
from mlops_assets.home import project
from mlops_assets.init.questions import Answers, Question, UndecidedError

if TYPE_CHECKING:
    from mlops_assets.init.draft import Draft


def init(data: str, target: str, name: str | None, yes: bool, **options: str | None) -> int:
    """Write the YAML, and say what was inferred; 2 if a person must decide first."""
    person = _ask if sys.stdin.isatty() and not yes else None
    answers = Answers(options, person, likely=yes)
    try:
        file, draft = write_model(data, target, name, answers)
    except UndecidedError as err:
        say(said_of(err), error=True)
        return ExitCode.USAGE
    for line in told(file, draft):
        say(line)
    return 0


def schema() -> int:
    """Write the schema that the first line of what `init` writes names."""
    say(f"{write_schema(project())}: written")
    return 0


def told(file: Path, draft: "Draft") -> Iterator[str]:
    """What was inferred, how sure it is, and the line to change."""
    (part,) = [part for part in read_parts(file.parents[1]) if part.file == file]
    model = part.models[0]
    for decision in draft.decisions:
        if decision.told and decision.said:
            line = model.own_fault(decision.place, "").line
            sure = "likely" if decision.likely else "sure"
            yield f"{file.name}:{line}: {decision.place}: {decision.said} ({sure})"
    yield from draft.remarks
    for source, why in draft.left_out.items():
        yield f"left out: {source if source.strip() else repr(source)}: {why}"
    page = file.with_name(PAGE)
    if page.exists():
        yield f"{page}: a page of every column, with values of the table"
    else:
        yield "no page of the table's profile: pip install 'mlops-assets[profile]' for one"
    yield f"{file}: written; run it by: mlops run {model.settings.name}"


def _ask(question: Question) -> str:
    say(f"{question.text} {', '.join(question.choices[:12])}")
    return input(f"--{question.option} [{question.default}]: ").strip()
