"""Write docs/llms.txt, the list of pages for programs that read; held by a test."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
TARGET = DOCS / "llms.txt"
CONFIGURATION = DOCS.parent / "zensical.toml"


def page() -> str:
    """The whole file, in the order of the site's navigation."""
    project = tomllib.loads(CONFIGURATION.read_text(encoding="utf-8"))["project"]
    lines = [f"# {project['site_name']}", "", f"> {project['site_description']}", ""]
    return "\n".join([*lines, *_part(project["nav"], "##")]) + "\n"


def _part(nav: Any, mark: str) -> Iterator[str]:
    for entry in nav:
        if isinstance(entry, str):
            yield _line(DOCS / entry)
        else:
            for title, below in entry.items():
                yield from ("", f"{mark} {title}", "")
                yield from _part(below, f"{mark}#")


def _line(file: Path) -> str:
    title, *_ = file.read_text(encoding="utf-8").splitlines()
    return f"- [{title.removeprefix('# ')}]({file.relative_to(DOCS)})"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
