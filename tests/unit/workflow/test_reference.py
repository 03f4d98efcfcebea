"""Pages of reference are held against the code: nothing is missing, nothing is there no longer."""

import ast
import re
import subprocess
import sys

import pytest

from mlops_assets import errors
from mlops_assets.home import FRAMEWORK_ROOT

REFERENCE = FRAMEWORK_ROOT / "docs" / "reference"
_VARIABLE = re.compile(r"\bMLOPS_[A-Z]+(?:_[A-Z]+)*\b")


def variables_of_the_code() -> set[str]:
    """Literals alone: a docstring may speak of what is no variable."""
    found = set()
    for folder in ("mlops_assets", "resources", "jobs", "sensors", "demo"):
        for file in (FRAMEWORK_ROOT / folder).rglob("*.py"):
            nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            texts = [n.value for n in nodes if isinstance(n, ast.Constant)]
            found |= {text for text in texts if isinstance(text, str) and _VARIABLE.fullmatch(text)}
    for file in [*(FRAMEWORK_ROOT / "deploy").rglob("*.y*ml"), *models(), *workflows()]:
        found |= {*_VARIABLE.findall(file.read_text(encoding="utf-8"))}
    return found


def models() -> list:
    return [*(FRAMEWORK_ROOT / "mlops_assets" / "defs").rglob("*.yaml")]


def workflows() -> list:
    return [*(FRAMEWORK_ROOT / ".github").rglob("*.yml")]


def first_cells(text: str) -> set[str]:
    cells = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)", cell)}


def test_every_variable_is_on_the_page_and_no_other() -> None:
    page = (REFERENCE / "environment.md").read_text(encoding="utf-8")
    documented = {name for name in first_cells(page) if name.startswith("MLOPS_")}
    assert documented == variables_of_the_code()


def test_every_error_is_on_the_page_and_no_other() -> None:
    page = (REFERENCE / "errors.md").read_text(encoding="utf-8").partition("## By class")[2]
    there = {name for name, one in vars(errors).items() if isinstance(one, type)}
    assert first_cells(page) == there
    for name in there:
        said = " ".join((getattr(errors, name).__doc__ or "").split("\n\n")[0].split())
        assert f"| `{name}` | {said} |" in page
        is_transient = issubclass(getattr(errors, name), errors.TransientError)
        assert f"| `{name}` | {said} | {'yes' if is_transient else ''} |" in page


@pytest.mark.parametrize("name", ["assets", "http", "metrics", "targets"])
def test_what_is_generated_is_up_to_date(name: str) -> None:
    code = f"from docs.{name}_reference import page; print(page(), end='')"
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=FRAMEWORK_ROOT, capture_output=True, text=True, check=True)
    written = (REFERENCE / f"{name}.md").read_text(encoding="utf-8")
    assert done.stdout == written, f"run `python docs/{name}_reference.py`"


def test_every_series_of_rules_and_dashboards_is_on_the_page() -> None:
    page = (REFERENCE / "metrics.md").read_text(encoding="utf-8")
    names = {re.sub(r"_REPORT_|_report_", "_drift_", name) for name in first_cells(page)}
    asked = set()
    for file in (FRAMEWORK_ROOT / "deploy").rglob("*.*"):
        if file.name == "rules.yml" or file.parent.name == "dashboards":
            asked |= {*re.findall(r"\bmodel_[a-z_]+", file.read_text(encoding="utf-8"))}
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked} - {"model_name"}
    asked = {re.sub(r"_(performance|skew)_last_run", "_drift_last_run", name) for name in asked}
    assert asked - names == set()
