"""A run of Schemathesis against a live endpoint, by its command line."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

# Left out: that every request within the schema gets a 2xx. It may ask for an entity that is
# unknown or a value that the model refuses, which the document says, as 404, 409 and 422.
_LEFT_OUT = "positive_data_acceptance"


@dataclass(frozen=True)
class Outcome:
    """What the run found."""

    passed: bool
    cases: int
    operations: int
    report: str


def fuzz(url: str, folder: Path, *, examples: int, seed: int = 1) -> Outcome:
    """Send `examples` and more requests to each operation; files of the run go into `folder`."""
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json"),
        *("--max-examples", str(examples), "--seed", str(seed), "--no-color"),
        *("--checks", "all", "--exclude-checks", _LEFT_OUT, "--generation-database", "none"),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return Outcome(
        passed=done.returncode == 0,
        cases=_number(r"(\d+) generated", done.stdout),
        operations=_number(r"Tested: (\d+)", done.stdout),
        report=done.stdout + done.stderr,
    )


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0
