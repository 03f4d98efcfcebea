"""What pages and docstrings point to is there: files, names in them, headings; examples run."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

from mlops_assets.home import FRAMEWORK_ROOT

PAGES = sorted({*FRAMEWORK_ROOT.glob("*.md"), *(FRAMEWORK_ROOT / "docs").rglob("*.md")})
POINTING = [page for page in PAGES if page.name != "CHANGELOG.md"]
"""Those whose `code` names files of the repository from its root."""
TOPS = "benchmarks|demo|deploy|docs|jobs|mlops_assets|resources|sensors|tests"
PACKAGES = ("mlops_assets", "resources", "sensors", "jobs", "demo")
ROOMS = (*PACKAGES, "ml", "serving", "model_versions", "records", "runtime", "asset_checks")
"""With what dotted names begin in docstrings; those of `mlops_assets` may leave that out."""
MOST_PICTURE_BYTES = 1_500_000
_FILE = re.compile(rf"`(?!mlops_assets/defs/churn)((?:{TOPS})/[\w./-]*?)(?::(\w+))?`")
_LINK = re.compile(r"\]\(([^)\s]*)\)")


PRODUCT = [file for top in PACKAGES for file in sorted((FRAMEWORK_ROOT / top).rglob("*.py"))]
EXAMPLES = sorted(str(f.relative_to(FRAMEWORK_ROOT)) for f in PRODUCT if ">>> " in f.read_text())
_DOTTED = re.compile(
    rf"`(?!demo\.md|ml\.example)((?:{'|'.join(ROOMS)})(?:\.[a-z]\w*)+)(?:\.([A-Z]\w*))?`"
)


def name_of(page: Path) -> str:
    return str(page.relative_to(FRAMEWORK_ROOT))


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


def wrong_files(text: str) -> list[str]:
    """Files and names in backticks that do not exist."""
    wrong = []
    for file, name in _FILE.findall(text):
        path = FRAMEWORK_ROOT / file
        if not path.exists():
            wrong.append(file)
        elif name and not defines(path, name):
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
    text = "`docs/gone.py` `jobs/asset_jobs.py:gone` `jobs/asset_jobs.py:training_job_name` `jobs/`"
    assert wrong_files(text) == ["docs/gone.py", "jobs/asset_jobs.py:gone"]
    text = "[a](docs/gone.md) [b](README.md#gone) [c](README.md#find-your-way) [d](https://x.y/z)"
    assert wrong_links(FRAMEWORK_ROOT / "README.md", text) == ["docs/gone.md", "README.md#gone"]


def wrong_names(text: str) -> list[str]:
    """Dotted names in backticks that are no module, no folder and nothing in a module."""
    return [".".join(filter(None, found)) for found in _DOTTED.findall(text) if not there(*found)]


def there(dotted: str, inside: str) -> bool:
    for root in (FRAMEWORK_ROOT, FRAMEWORK_ROOT / "mlops_assets"):
        place = root / dotted.replace(".", "/")
        if place.is_dir() or place.with_suffix(".py").exists():
            return not inside or defines(place.with_suffix(".py"), inside)
        if place.parent.with_suffix(".py").exists():
            return defines(place.parent.with_suffix(".py"), place.name)
    return False


def defines(file: Path, name: str) -> bool:
    pattern = rf"^(?:def|class) {name}\b|^{name}\b.* = "
    return re.search(pattern, file.read_text("utf-8"), re.MULTILINE) is not None


def test_docstrings_name_what_is_there() -> None:
    wrong = {name_of(file): wrong_names(file.read_text("utf-8")) for file in PRODUCT}
    assert {file: names for file, names in wrong.items() if names} == {}


def test_a_name_that_moved_is_noticed() -> None:
    text = "`ml.data` `ml.data.gone` `ml.data.reading.read_table` `ml.data.reading.gone`"
    assert wrong_names(text) == ["ml.data.gone", "ml.data.reading.gone"]


@pytest.mark.parametrize("file", EXAMPLES)
def test_examples_in_docstrings_run(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    assert doctest.testmod(module).failed == 0


def test_every_picture_is_shown_on_a_page_and_written_by_a_script() -> None:
    """What no script writes is out of date one day, and nobody can say so."""
    pictures = sorted((FRAMEWORK_ROOT / "docs" / "images").iterdir())
    scripts = [*(FRAMEWORK_ROOT / "docs").glob("*.py"), *(FRAMEWORK_ROOT / "demo").glob("*.py")]
    text = "".join(script.read_text(encoding="utf-8") for script in scripts)
    models = ("customers", "flights")  # the demo draws one of each
    written = text + "".join(text.replace("{story.model}", model) for model in models)
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [
        one.name for one in pictures if not re.search(rf"[\"/]{one.stem}(\.png)?\"", written)
    ] == []
    assert [one.name for one in pictures if f"images/{one.name}" not in shown] == []
    assert sum(one.stat().st_size for one in pictures) < MOST_PICTURE_BYTES
