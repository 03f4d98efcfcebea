"""The pages are a site: built strictly, each reached once, pictures by scripts, from one host."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from docs import llms
from mlops_assets.home import FRAMEWORK_ROOT

DOCS = FRAMEWORK_ROOT / "docs"
CONFIGURATION = FRAMEWORK_ROOT / "zensical.toml"
_LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=[\"']?(https?:)?//"
    r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preconnect|preload|icon))[^>]*\bhref=[\"']?(https?:)?//"
    r"|class=[\"']?(?:mermaid|glightbox)"
)
"""What a browser fetches by itself; the theme asks other hosts for diagrams and galleries."""
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` builds it, elsewhere."""
    folder = tmp_path_factory.mktemp("pages")
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(CONFIGURATION, folder)
    build(folder)
    return folder / "site"


def build(folder: Path) -> None:
    command = [str(Path(sys.executable).with_name("zensical")), "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def reached(nav: Any) -> list[str]:
    """The pages of a navigation, in its order."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [page for part in parts for page in reached(part)]


def pictures() -> dict[str, list[Path]]:
    """Page -> the pictures that it shows."""
    pages = [FRAMEWORK_ROOT / "README.md", *DOCS.rglob("*.md")]
    return {
        str(page.relative_to(FRAMEWORK_ROOT)): [
            (page.parent / name).resolve() for name in _PICTURE.findall(page.read_text("utf-8"))
        ]
        for page in pages
    }


def test_every_page_is_in_the_navigation_once() -> None:
    nav = tomllib.loads(CONFIGURATION.read_text(encoding="utf-8"))["project"]["nav"]
    pages = [str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")]
    assert sorted(reached(nav)) == sorted(pages)


def test_the_list_for_programs_is_that_of_the_navigation() -> None:
    assert llms.TARGET.read_text(encoding="utf-8") == llms.page(), "run `python docs/llms.py`"


def test_the_site_is_built_strictly_and_has_every_page(site: Path) -> None:
    built = {str(page.relative_to(site)) for page in site.rglob("*.html")}
    assert built >= {
        str(page.relative_to(DOCS).with_suffix(".html")) for page in DOCS.rglob("*.md")
    }
    assert not list(site.rglob("*.py"))


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A\n\n[b](#gone)\n", encoding="utf-8")
    (tmp_path / "zensical.toml").write_text('[project]\nsite_name = "a"\n', encoding="utf-8")
    with pytest.raises(AssertionError, match="strict"):
        build(tmp_path)


def test_the_site_asks_no_other_host(site: Path) -> None:
    found = {page.name: _LOADED.findall(page.read_text("utf-8")) for page in site.rglob("*.html")}
    assert {page: hits for page, hits in found.items() if hits} == {}
    assert _LOADED.search('<script async src="https://other.example/a.js">')
    assert _LOADED.search('<link href="https://other.example/a.css" rel="stylesheet">')


def test_every_picture_is_there_and_written_by_a_script() -> None:
    scripts = [*DOCS.glob("*.py"), *(FRAMEWORK_ROOT / "demo").glob("*.py")]
    written = "\n".join(script.read_text(encoding="utf-8") for script in scripts)
    shown = {picture for found in pictures().values() for picture in found}
    assert shown == {*(DOCS / "images").iterdir()}
    models = re.compile(r"demo-\w+\.png")
    names = {models.sub("demo-{", picture.name) for picture in shown}
    assert {name for name in names if name not in written} == set()
