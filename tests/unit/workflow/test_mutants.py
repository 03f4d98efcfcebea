"""The form of the mutants; whether the tests catch them is asked by `make mutants`."""

from pathlib import Path

import pytest

from tests.mutants.listed import ROOT, Mutant, MutantError, all_mutants


def test_each_line_is_there_once_and_each_test_is_there() -> None:
    mutants = all_mutants()
    assert len(mutants) >= 40
    for mutant in mutants:
        assert mutant.broken(ROOT) != (ROOT / mutant.file).read_text(encoding="utf-8")
        mutant.require_tests(ROOT)


@pytest.fixture
def mutant(tmp_path: Path) -> Mutant:
    (tmp_path / "code.py").write_text("def f(x):\n    return x < 1\n")
    (tmp_path / "test_code.py").write_text("def test_it(): ...\n")
    return Mutant(
        name="a wrong bound",
        file="code.py",
        line="return x < 1",
        becomes="return x <= 1",
        tests=("test_code.py", "test_code.py::test_it"),
    )


def test_a_line_is_broken_where_it_stands(mutant: Mutant, tmp_path: Path) -> None:
    assert mutant.broken(tmp_path) == "def f(x):\n    return x <= 1\n"
    mutant.require_tests(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "a wrong bound: code.py has the line 0 times: return x < 1"),
        ("return x < 1\nreturn x < 1\n", "has the line 2 times"),
        ("def f(x):\nreturn x < 1\n", "expected an indented block"),
    ],
)
def test_what_is_gone_is_named(mutant: Mutant, tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "code.py").write_text(content)
    with pytest.raises(MutantError, match=said):
        mutant.broken(tmp_path)


@pytest.mark.parametrize("gone", ["test_other.py", "test_code.py::test_i"])
def test_a_test_that_is_gone_is_named(mutant: Mutant, tmp_path: Path, gone: str) -> None:
    renamed = mutant.model_copy(update={"tests": (gone,)})
    with pytest.raises(MutantError, match=f"a wrong bound: there is no {gone}"):
        renamed.require_tests(tmp_path)
