"""How a page of results is written: what it was measured on, and nothing in the small form.

What is measured, and what the page says of it, stands in each benchmark.
"""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SMALL = "BENCHMARKS_SMALL"
T = TypeVar("T")


def small() -> bool:
    """Whether everything is tried in little, to see that it runs.

    By an environment variable, because most benchmarks start processes of their own.
    """
    return bool(os.environ.get(SMALL))


def sized(full: T, little: T) -> T:
    """How much of something."""
    return little if small() else full


def place(name: str) -> Path:
    """Where a file of the results is written; in the small form it goes nowhere."""
    return Path(os.devnull) if small() else RESULTS / name


def publish(name: str, text: str) -> None:
    """Print a page, and keep it as `results/NAME.md` with what it was measured on."""
    title, _, rest = text.partition("\n")
    said = f"Made at {commit()} on {datetime.now(UTC):%Y-%m-%d} by `python -m benchmarks {name}`."
    page = f"{title}\n\n{said}\n\n{rest.strip()}\n"
    print(page)
    place(f"{name}.md").write_text(page, encoding="utf-8")


def commit() -> str:
    """The checked-out commit, and whether files other than results differ from it; else none."""
    revision = _git("describe", "--always", "--abbrev=8")
    if not revision:
        return "no commit"
    others = f":(exclude){RESULTS.relative_to(ROOT)}"
    return f"{revision}-dirty" if _git("status", "--porcelain", "-uno", "--", others) else revision


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()
