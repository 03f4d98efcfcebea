"""Write docs/reference/cli.md from what `mlops_assets.cli.parser` declares; held by a test."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlops_assets.cli.parser.command_line import arguments_of
from mlops_assets.cli.parser.exit_codes import ExitCode
from mlops_assets.cli.parser.groups import GROUPS
from mlops_assets.cli.parser.verb import Argument, Verb

TARGET = Path(__file__).with_name("reference") / "cli.md"
_DEEPEST = 2
_HEADER = """\
# The command line

`mlops VERB ...`, in the folder of a project or below it (`MLOPS_PROJECT` names one from elsewhere).
`mlops --help` lists the verbs, `mlops VERB --help` says what one takes, `mlops --version` which
release this is. A name of a verb, an option or a model that is not spelled right is answered with
the likely one.

What a verb finds is on stdout, what is wrong on stderr: a sentence with the value and the remedy.
Verbs with `--json` print one JSON document on stdout instead, with the keys below; a key keeps its
name and meaning, and new ones may come. Bold type is for terminals only, where `NO_COLOR=1`
switches it off.

Written by `docs/cli_reference.py`.

## Exit codes

| code | meaning |
|---|---|
"""


def page() -> str:
    """The whole page."""
    codes = "".join(f"| {code.value} | {code.meaning} |\n" for code in ExitCode)
    return _HEADER + codes + "".join(_group(group.title, group.verbs) for group in GROUPS)


def _group(title: str, verbs: tuple[Verb, ...]) -> str:
    return f"\n## {title}\n" + "".join(map(_verb, verbs))


def _verb(verb: Verb) -> str:
    parts = [f"\n### {verb.name}\n\n{verb.about[0].upper()}{verb.about[1:]}."]
    parts += [f" {verb.more}"] if verb.more else []
    parts += ["\n\n```console\n", *(f"$ {example}\n" for example in verb.examples), "```\n"]
    if rows := [_argument(argument) for argument in arguments_of(verb)]:
        parts += ["\n| argument | meaning |\n|---|---|\n", *rows]
    return "".join([*parts, _facts(verb.facts)])


def _argument(argument: Argument) -> str:
    settings = argument.settings
    name = argument.names[0]
    shown = settings.get("metavar") or (name.lstrip("-") if not argument.is_option else "")
    if argument.is_option and settings.get("action") != "store_true":
        shown = shown or name.lstrip("-").upper()
        name = f"{name} {shown}"
    elif not argument.is_option:
        name = {"*": f"[{shown} ...]", "+": f"{shown} ..."}.get(settings.get("nargs", ""), shown)
    choices = settings.get("choices")
    said = settings["help"] + (f" ({', '.join(choices)})" if choices else "")
    required = " (required)" if settings.get("required") else ""
    return f"| `{_cell(name)}` | {_cell(said)}{required} |\n"


def _facts(path: str) -> str:
    if not path:
        return ""
    module, _, name = path.removesuffix("[]").rpartition(".")
    record = getattr(import_module(module), name)
    rows = "".join(f"| `{key}` | {kind} | {_cell(said)} |\n" for key, kind, said in keys_of(record))
    document = "A list; of each" if path.endswith("[]") else "An object"
    return f"\n{document}, by `--json`:\n\n| key | type | meaning |\n|---|---|---|\n{rows}"


def keys_of(
    record: type[BaseModel], above: str = "", depth: int = 0
) -> Iterator[tuple[str, str, str]]:
    """Key, type and meaning of each field of a record, and of the records in it."""
    for name, field in record.model_fields.items():
        inner, many = _record_in(field.annotation)
        key = f"{above}{name}"
        yield key, _kind(field.annotation), _meaning(field)
        if inner is not None and depth < _DEEPEST:
            yield from keys_of(inner, f"{key}{'[]' * many}.", depth + 1)


def _record_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The record that a field holds, if any, and whether it holds several."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for part in get_args(annotation):
        found, many = _record_in(part)
        if found is not None:
            return found, many or get_origin(annotation) in (tuple, list)
    return None, False


def _kind(annotation: Any) -> str:
    """Of JSON."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if type(None) in parts:
        others = [part for part in parts if part is not type(None)]
        return f"{_kind(Union[tuple(others)])} or null"  # noqa: UP007  of what is known only now
    if origin in (tuple, list):
        return "list"
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "object"
    names = {bool: "boolean", int: "integer", float: "number"}
    return names.get(annotation, "value" if annotation is Any else "string")


def _meaning(field: FieldInfo) -> str:
    return field.description or ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
