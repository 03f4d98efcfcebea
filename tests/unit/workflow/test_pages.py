"""What the pages for people point to is there: files, names in them, headings."""

import re
from pathlib import Path

import pytest

from mlops_assets.home import PROJECT_ROOT

PAGES = sorted({*PROJECT_ROOT.glob("*.md"), *(PROJECT_ROOT / "docs").glob("*.md")})
POINTING = [
    PROJECT_ROOT / name
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md")
]
"""Those whose `code` names files of the repository from its root."""
TOPS = "benchmarks|demo|deploy|docs|jobs|mlops_assets|resources|sensors|tests"
_FILE = re.compile(rf"`(?!mlops_assets/defs/churn)((?:{TOPS})/[\w./-]*?)(?::(\w+))?`")
_LINK = re.compile(r"\]\(([^)\s]*)\)")


def name_of(page: Path) -> str:
    return str(page.relative_to(PROJECT_ROOT))


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def wrong_files(text: str) -> list[str]:
    """Files and names in backticks that do not exist."""
    wrong = []
    for file, name in _FILE.findall(text):
        path = PROJECT_ROOT / file
        if not path.exists():
            wrong.append(file)
        elif name and not re.search(
            rf"^(?:def|class) {name}\b|^{name}\b.* = ", path.read_text("utf-8"), re.MULTILINE
        ):
            wrong.append(f"{file}:{name}")
    return wrong


def wrong_links(page: Path, text: str) -> list[str]:
    """Links inside the repository that lead nowhere."""
    wrong = []
    for link in _LINK.findall(text):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert wrong_links(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", POINTING, ids=name_of)
def test_files_and_what_is_in_them_are_there(page: Path) -> None:
    assert wrong_files(page.read_text(encoding="utf-8")) == []


def test_what_is_gone_is_noticed() -> None:
    text = "`docs/gone.py` `jobs/training.py:gone` `jobs/training.py:training_job_name` `jobs/`"
    assert wrong_files(text) == ["docs/gone.py", "jobs/training.py:gone"]
    text = "[a](docs/gone.md) [b](README.md#gone) [c](README.md#find-your-way) [d](https://x.y/z)"
    assert wrong_links(PROJECT_ROOT / "README.md", text) == ["docs/gone.md", "README.md#gone"]
