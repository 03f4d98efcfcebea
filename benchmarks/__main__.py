"""Every benchmark by one command: `python -m benchmarks [NAME...] [--small]`.

Without a name they are listed. `all` are all of them, hours of work. In the small form each does
the same with little, and keeps no page: what the tests run.
"""

import argparse
import ast
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.page import ROOT, SMALL

ALL = "all"
_NONE = {"__init__", "__main__", "page", "results", "__pycache__"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run those that are named, each in a process of its own; 1 if one has failed."""
    known = benchmarks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*known, ALL, []])
    parser.add_argument("--small", action="store_true", help="try everything in little")
    asked = parser.parse_args(arguments)
    if not asked.names:
        width = max(map(len, known))
        print("\n".join(f"{name:<{width}}  {about}" for name, about in known.items()))
        return 0
    names = list(known) if ALL in asked.names else asked.names
    failed = [name for name in names if not run(name, small=asked.small)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def benchmarks() -> dict[str, str]:
    """Name -> the first line of its docstring: every module and package of this folder."""
    here = Path(__file__).parent
    files = {
        path.stem: path / "__main__.py" if path.is_dir() else path
        for path in sorted(here.iterdir())
        if path.stem not in _NONE
    }
    return {name: _about(file) for name, file in files.items()}


def run(name: str, *, small: bool) -> bool:
    """Whether a benchmark ended well."""
    environment = os.environ | ({SMALL: "1"} if small else {})
    before = _cpu()
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    said = "done" if done.returncode == 0 else f"FAILED, exit code {done.returncode}"
    print(f"{name}: {said}, {_cpu() - before:.0f} CPU s", file=sys.stderr, flush=True)
    return done.returncode == 0


def _about(file: Path) -> str:
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0]


def _cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


if __name__ == "__main__":
    sys.exit(main())
