"""The verbs `init` and `schema`.

A table of one's own -> the YAML of its model, that runs as it stands, and what editors know of it.
"""

import sys
from argparse import ArgumentTypeError, BooleanOptionalAction
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_assets.cli.context import say
from mlops_assets.cli.failures import said_of
from mlops_assets.cli.init.page import PAGE
from mlops_assets.cli.init.writing import write_model, write_schema
from mlops_assets.components.model_files import read_parts
from mlops_assets.home import project
from mlops_assets.init.questions import Answers, Question, UndecidedError

if TYPE_CHECKING:
    from mlops_assets.cli.context import Verbs
    from mlops_assets.init.draft import Draft

_CHOICES = {
    "task": ["binary", "multiclass", "regression"],
    "classes": ["yes", "no"],
    "shape": ["flat", "events"],
    "decimal": [".", ","],
    "dates": ["day-first", "month-first"],
    "suspects": ["yes", "no"],
}
_OPTIONS = {
    "entity": "the column of whom a prediction is asked for, or none",
    "time": "the column of when a row was known, or none",
    "positive": "which value of the target is the positive class",
    "task": "binary, multiclass or regression",
    "classes": "whether rare values of the target are classes: yes or no",
    "shape": "flat, or events: the target is what comes next",
    "labels": "a second file, which holds the target of each id",
    "port": "of the endpoint; default: the next free one",
    "query": "what is asked of a database, e.g. 'select * from customers'",
    "sheet": "of a workbook",
    "columns": "names for a file without a header, comma-separated",
    "missing": "texts that mean no value, comma-separated",
    "encoding": "of a text file, e.g. cp1252",
    "decimal": "the decimal mark, . or ,",
    "epochs": "columns of seconds since 1970, comma-separated, or none",
    "dates": "day-first or month-first, of 03/04/2020",
    "drop": "columns that are no features, comma-separated",
    "keep": "columns that are, though they give the target away",
    "suspects": "whether what gives the target away is kept: yes or no",
}


def add_verbs(verbs: "Verbs") -> None:
    """Declare the verb."""
    verb = verbs.add_parser("init", help="look at a table and write the YAML of a model of it")
    verb.add_argument(
        "data",
        help="a file, folder or glob; package://PACKAGE/FILE; one file at an https:// address, or "
        "at s3://, gs://, az://, ... where s3fs, gcsfs, adlfs, ... is installed; a database, by "
        "--query: sqlite:///FILE, postgresql://..., FILE.duckdb; env:NAME of a variable with such "
        "an address or URL",
    )
    verb.add_argument(
        "--target", required=True, help="the column to predict, or of events COLUMN=VALUE"
    )
    verb.add_argument("--name", help="of the model; default: after the file")
    for option, said in _OPTIONS.items():
        checked = _encoding if option == "encoding" else str
        verb.add_argument(f"--{option}", help=said, choices=_CHOICES.get(option), type=checked)
    verb.add_argument(
        "--yes",
        action=BooleanOptionalAction,
        default=False,
        help="take what is likely; ask nothing",
    )
    verb.set_defaults(run=init, anywhere=True)
    said = "write the JSON schema of YAML files for editors into the project, as after an upgrade"
    verbs.add_parser("schema", help=said).set_defaults(run=schema)


def init(data: str, target: str, name: str | None, yes: bool, **options: str | None) -> int:
    """Write the YAML, and say what was inferred; 2 if a person must decide first."""
    person = _ask if sys.stdin.isatty() and not yes else None
    answers = Answers(options, person, likely=yes)
    try:
        file, draft = write_model(data, target, name, answers)
    except UndecidedError as err:
        say(said_of(err), error=True)
        return 2
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
    for source, why in draft.left_out.items():
        yield f"left out: {source if source.strip() else repr(source)}: {why}"
    page = file.with_name(PAGE)
    if page.exists():
        yield f"{page}: a page of every column, with values of the table"
    else:
        yield "no page of the table's profile: pip install 'mlops-assets[profile]' for one"
    yield f"{file}: written; run it by: mlops run {model.settings.name}"


def _encoding(name: str) -> str:
    try:
        b"a".decode(name, errors="replace")  # of no bytes nothing is looked up
    except LookupError as err:
        raise ArgumentTypeError(f"{name!r} is no encoding; give one of Python's: cp1252") from err
    return name


def _ask(question: Question) -> str:
    say(f"{question.text} {', '.join(question.choices[:12])}")
    return input(f"--{question.option} [{question.default}]: ").strip()
