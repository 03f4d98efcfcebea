"""A long fuzz run: Schemathesis against a live endpoint of each kind of model.

python -m benchmarks.fuzz [EXAMPLES]     # writes results/fuzz.md; a failure ends the program
"""

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.page import publish, sized
from tests.support.served.fuzzing import KINDS, Kinds, fuzz


def main(examples: int = sized(1000, 2)) -> None:
    """Run every kind and write the page."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        kinds = Kinds(Path(folder))
        try:
            for kind in KINDS:
                started = time.monotonic()
                outcome = fuzz(kinds.serve(kind).url, Path(folder), examples=examples)
                seconds = time.monotonic() - started
                if not outcome.passed:
                    sys.exit(outcome.report)
                lines.append(f"| {kind} | {outcome.cases} | 0 | {seconds:.0f} |")
                print(lines[-1], flush=True)
        finally:
            kinds.stop()
    page = (
        "# Fuzz of the published API\n\n"
        "Schemathesis against the document that a live "
        f"endpoint publishes, {examples} examples for each operation and kind of model, with every "
        "check but one. That one says that any request within the schema gets a 2xx; an entity may "
        "be unknown, and the document says so.\n\n"
        "| model | requests | failures (5xx, undocumented answers, bad input accepted) | s |\n"
        "|---|---|---|---|\n"
    )
    publish("fuzz", page + "\n".join(lines))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
