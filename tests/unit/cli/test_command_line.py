"""What `mlops` takes, how it says it, and that its page says the same."""

import inspect
import io
import re
import shlex
import subprocess
import sys

import pytest

from docs.cli_reference import TARGET, page
from mlops_assets.cli.parser.command_line import arguments_of, bold, parse, parser_of
from mlops_assets.cli.parser.exit_codes import ExitCode
from mlops_assets.cli.parser.groups import GROUPS, VERBS
from mlops_assets.cli.parser.verb import Verb
from mlops_assets.home import FRAMEWORK_ROOT

MOST_MODULES = 150
"""Beside the interpreter's: 90 when this was written; Dagster alone brings 1,400."""
HELP = """
import sys
before = set(sys.modules)
sys.argv = ["mlops", *sys.argv[1:]]
try:
    from mlops_assets.__main__ import main
    main()
finally:
    print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""
EVERY_VERB = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["rnu"]])
def test_help_imports_next_to_nothing(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP, *arguments], capture_output=True, text=True, check=False
    )
    modules = done.stderr.splitlines()[-1].split()
    assert len(modules) < MOST_MODULES
    assert not {"dagster", "pydantic", "pandas", "yaml"} & set(modules)


@EVERY_VERB
def test_what_a_verb_calls_takes_what_is_declared(verb: Verb) -> None:
    called = inspect.signature(verb.load()).parameters.values()
    open_ended = any(each.kind == inspect.Parameter.VAR_KEYWORD for each in called)
    taken = {each.name for each in called if each.kind != inspect.Parameter.VAR_KEYWORD}
    given = {action.dest for action in parser_of(verb)._actions} - {"help"}
    assert taken <= given
    assert given == taken or open_ended


@EVERY_VERB
def test_help_has_an_example_that_is_accepted(
    verb: Verb, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verb.examples
    for example in verb.examples:
        words = shlex.split(re.sub(r'^eval "\$\((.*)\)"$', r"\1", example))
        while "=" in words[0]:
            words.pop(0)
        assert words.pop(0) == "mlops"
        chosen, _ = parse(words)
        assert chosen == verb
    with pytest.raises(SystemExit, match="0"):
        parse([verb.name, "--help"])
    assert verb.examples[0] in capsys.readouterr().out


@EVERY_VERB
def test_every_argument_is_explained_with_its_default(verb: Verb) -> None:
    for argument in arguments_of(verb):
        assert argument.settings["help"], argument.names
        if argument.is_option and not argument.settings.get("required"):
            assert "default: " in argument.settings["help"], argument.names


def test_no_verb_is_in_two_groups() -> None:
    assert sum(len(group.verbs) for group in GROUPS) == len(VERBS)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], "mlops has no verb 'rnu'; did you mean 'run'?; `mlops --help` lists them"),
        (["rol"], "mlops has no verb 'rol'; did you mean 'rollback'?"),
        (["xyzzy"], "mlops has no verb 'xyzzy'; `mlops --help` lists them"),
        (["--versoin"], "mlops has no option '--versoin'; did you mean '--version'?"),
        (["init", "x.csv", "--taget=y"], "--target; did you mean '--target' by '--taget'?"),
        (["score", "loans", "--jsn"], "unrecognized arguments: --jsn; did you mean '--json'?"),
        (
            ["predict"],
            "the following arguments are required: model, entity; `mlops predict --help`",
        ),
    ],
)
def test_a_word_that_is_not_spelled_right_is_answered_with_the_likely_one(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=str(ExitCode.USAGE.value)):
        parse(words)
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert bold("Ask", io.StringIO()) == "Ask"
    assert bold("Ask", Terminal()) != "Ask"
    monkeypatch.setenv("NO_COLOR", "1")
    assert bold("Ask", Terminal()) == "Ask"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert bold("Ask", Terminal()) == "Ask"


def test_the_page_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "run `python docs/cli_reference.py`"


def test_the_page_has_every_exit_code_and_verb() -> None:
    written = TARGET.read_text(encoding="utf-8")
    for code in ExitCode:
        assert f"| {code.value} | {code.meaning} |" in written
    assert re.findall(r"^### (.*)$", written, re.MULTILINE) == list(VERBS)


def test_the_pages_name_verbs_that_there_are() -> None:
    for file in (FRAMEWORK_ROOT / "README.md", *FRAMEWORK_ROOT.glob("docs/**/*.md")):
        text = file.read_text(encoding="utf-8")
        assert set(re.findall(r"(?:`|\$ )mlops ([a-z][a-z-]*)", text)) <= {*VERBS}, file
