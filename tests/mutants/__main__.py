"""`python -m tests.mutants [WORD...]`: whether each mutant, or those whose names have a word, dies.

The tests run in copies of the checkout, first as it is, then with one mutant at a time. Ends with 1
if a mutant survives, cannot be tried, or if the tests fail without any.
"""

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from tests.mutants.listed import ROOT, Mutant, MutantError, all_mutants

_COPIES = 2
"""How many are tried at once."""
_SECONDS = 120
"""A test that a mutant makes wait for ever fails after so long."""
_PLUGINS = ("-p", "pytest_timeout", "-p", "_hypothesis_pytestplugin")
"""All others are left out: they are 3 of the 5 CPU seconds that pytest takes to begin."""
_PASSED, _FAILED = 0, 1
"""Exit codes of pytest; the others say that no test could be run."""
_SHOWN_LINES = 25


class Tried(NamedTuple):
    """What became of a mutant."""

    mutant: Mutant
    outcome: str
    """`caught`, `SURVIVED` or `NOT TRIED`."""
    seconds: float
    output: str


def main(words: list[str]) -> int:
    """Try the mutants; returns the exit code."""
    chosen = [one for one in all_mutants() if not words or any(word in one.name for word in words)]
    if not chosen:
        print(f"no mutant is called {words}")
        return 1
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copies = [_copy(Path(folder) / str(number)) for number in range(_COPIES)]
        if not _sound(copies, chosen):
            return 1
        print(f"{time.monotonic() - began:6.1f} s  the tests pass without a mutant", flush=True)
        dead = sum([_report(tried) for tried in _try_all(copies, chosen)])
    print(f"{time.monotonic() - began:6.1f} s  {dead} of {len(chosen)} mutants were caught")
    return 0 if dead == len(chosen) else 1


def _copy(folder: Path) -> Path:
    """The checkout with what is not committed yet, without what git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def _sound(copies: list[Path], chosen: list[Mutant]) -> bool:
    """Whether the tests pass without any mutant; half of the files in each copy."""
    tests = sorted({test for mutant in chosen for test in mutant.tests})
    files = sorted({test.partition("::")[0] for test in tests})
    halves = [
        [t for t in tests if t.partition("::")[0] in files[n::_COPIES]] for n in range(_COPIES)
    ]
    with ThreadPoolExecutor(_COPIES) as pool:
        ends = list(pool.map(_pytest, copies, filter(None, halves)))
    for code, output in ends:
        if code != _PASSED:
            print(f"the tests fail without a mutant:\n{_end(output)}")
    return all(code == _PASSED for code, _ in ends)


def _try_all(copies: list[Path], chosen: list[Mutant]) -> Iterable[Tried]:
    free: queue.SimpleQueue[Path] = queue.SimpleQueue()
    for copy in copies:
        free.put(copy)

    def attempt(mutant: Mutant) -> Tried:
        copy = free.get()
        try:
            return _try(copy, mutant)
        finally:
            free.put(copy)

    with ThreadPoolExecutor(_COPIES) as pool:
        for future in as_completed([pool.submit(attempt, mutant) for mutant in chosen]):
            yield future.result()


def _try(copy: Path, mutant: Mutant) -> Tried:
    """Break the copy, run the tests, and mend it."""
    began, file = time.monotonic(), copy / mutant.file
    try:
        broken = mutant.broken(copy)
    except MutantError as err:
        return Tried(mutant, "NOT TRIED", 0.0, str(err))
    whole, state = file.read_bytes(), file.stat()
    file.write_text(broken, encoding="utf-8")
    try:
        code, output = _pytest(copy, mutant.tests)
    finally:
        file.write_bytes(whole)
        # As it was, so that its bytecode is valid again.
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    outcome = {_PASSED: "SURVIVED", _FAILED: "caught"}.get(code, "NOT TRIED")
    return Tried(mutant, outcome, time.monotonic() - began, output)


def _pytest(copy: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Exit code and output; the product is that of the copy, also in what the tests start."""
    options = ["-x", "-q", "-p", "no:cacheprovider", *_PLUGINS, f"--timeout={_SECONDS}"]
    environment = os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(copy),
        "MLOPS_HOME": str(copy / ".mlops"),
        "TZ": "Asia/Tokyo",  # as in `make test`
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--hypothesis-seed=0", *tests],
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
    )
    return done.returncode, done.stdout


def _report(tried: Tried) -> bool:
    """Print what became of a mutant; whether it was caught."""
    print(f"{tried.seconds:6.1f} s  {tried.outcome:9}  {tried.mutant.name}", flush=True)
    if tried.outcome == "SURVIVED":
        print(f"          {tried.mutant.file}: {tried.mutant.becomes}")
        print(f"          passes {' '.join(tried.mutant.tests)}")
    if tried.outcome == "NOT TRIED":
        print(_end(tried.output))
    return tried.outcome == "caught"


def _end(output: str) -> str:
    return "\n".join(output.splitlines()[-_SHOWN_LINES:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
