"""The declared verbs as a parser and as help: groups, examples, defaults, likely spellings."""

import argparse
import difflib
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, TextIO

from mlops_assets.cli.parser.exit_codes import ExitCode
from mlops_assets.cli.parser.groups import GROUPS, VERBS
from mlops_assets.cli.parser.verb import Argument, Verb, takes

_ABOUT = "A model from raw data to a live, checked endpoint, described in one YAML file."
_MORE = (
    "`mlops VERB --help` has an example and every default; docs/reference/cli.md has all on one "
    "page, with the exit codes."
)
_LARGEST_WIDTH = 100
JSON = takes("--json", dest="as_json", action="store_true", help="as JSON; default: for a person")


def parse(arguments: Sequence[str]) -> tuple[Verb, argparse.Namespace]:
    """The verb that was chosen and its arguments; help, or what is wrong, ends the process."""
    options = [text for text in arguments[:1] if text.startswith("-")]
    wanted = next(iter(arguments), "--help")
    if wanted in ("-h", "--help", "help"):
        _leave(overview(sys.stdout))
    if wanted in ("-V", "--version"):
        from importlib.metadata import version  # 50 modules

        _leave(f"mlops-assets {version('mlops-assets')}\n")
    if wanted not in VERBS:
        kind = "option" if options else "verb"
        near = _near(wanted, ["--help", "--version"] if options else VERBS)
        _refuse(f"mlops has no {kind} {wanted!r}{near}; `mlops --help` lists them")
    verb = VERBS[wanted]
    return verb, parser_of(verb).parse_args(arguments[1:])


def parser_of(verb: Verb) -> argparse.ArgumentParser:
    """What reads the arguments of one verb, and makes its help."""
    parser = _Parser(
        prog=f"mlops {verb.name}",
        description=f"{verb.about[0].upper()}{verb.about[1:]}.",
        epilog=_epilog(verb),
        formatter_class=_Help,
        allow_abbrev=False,
    )
    for argument in arguments_of(verb):
        parser.add_argument(*argument.names, **argument.settings)
    return parser


def arguments_of(verb: Verb) -> Sequence[Argument]:
    """Those declared, and `--json` where it prints facts."""
    return (*verb.arguments, *([JSON] if verb.facts else []))


def overview(stream: TextIO) -> str:
    """Every verb in its group, a line each."""
    widest = max(map(len, VERBS))
    lines = [f"usage: mlops VERB [...]\n\n{_ABOUT}"]
    for group in GROUPS:
        lines.append(f"\n{bold(group.title, stream)}")
        for verb in group.verbs:
            lines += _wrapped(f"  {verb.name:{widest}}  ", verb.about)
    return "\n".join([*lines, "", *_wrapped("", _MORE), ""])


def bold(text: str, stream: TextIO) -> str:
    """The same in bold, on a terminal that is to show it."""
    return f"\x1b[1m{text}\x1b[0m" if is_coloured(stream) else text


def is_coloured(stream: TextIO) -> bool:
    """Whether it is a terminal, and nobody asked for none (https://no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


class _Help(argparse.RawDescriptionHelpFormatter):
    """As wide as a person reads; headings stand out."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=_width())

    def start_section(self, heading: str | None) -> None:
        super().start_section(bold(heading, sys.stdout) if heading else heading)


class _Parser(argparse.ArgumentParser):
    _given: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._given = args
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Say it in a line, with the likely spelling of an option that there is not."""
        known = [name for action in self._actions for name in action.option_strings]
        options = [text.partition("=")[0] for text in self._given if text.startswith("--")]
        wrong = [option for option in options if option not in {*known, "--"}]
        near = _near(wrong[0], known) if wrong else ""
        if near and wrong[0] not in message:
            near = near.replace("?", f" by {wrong[0]!r}?")
        _refuse(f"{self.prog}: {message}{near}; `{self.prog} --help` has an example")


def _epilog(verb: Verb) -> str:
    lines = _wrapped("", verb.more) if verb.more else []
    examples = [f"  {example}" for example in verb.examples]
    title = "example:" if len(examples) == 1 else "examples:"
    return "\n".join([*lines, *([""] * bool(lines)), bold(title, sys.stdout), *examples])


def _wrapped(first: str, text: str) -> list[str]:
    return textwrap.wrap(text, _width(), initial_indent=first, subsequent_indent=" " * len(first))


def _width() -> int:
    return min(shutil.get_terminal_size().columns, _LARGEST_WIDTH)


def _near(wrong: str, known: Iterable[str]) -> str:
    names = list(known)
    begun = [name for name in names if name.startswith(wrong)]
    found = begun[:1] or difflib.get_close_matches(wrong, names, n=1)
    return f"; did you mean {found[0]!r}?" if found else ""


def _leave(text: str) -> NoReturn:
    sys.stdout.write(text)
    raise SystemExit(ExitCode.GOOD)


def _refuse(text: str) -> NoReturn:
    sys.stderr.write(f"{text}\n")
    raise SystemExit(ExitCode.USAGE)
