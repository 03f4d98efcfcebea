"""A long fuzz run: Schemathesis against a live endpoint of each kind of model.

python -m benchmarks.fuzz [EXAMPLES]     # writes results/fuzz.md; a failure ends the program
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.fuzzing import KINDS, Kinds, fuzz

RESULTS = Path(__file__).parent / "results"


def main(examples: int = 1000) -> None:
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
    page = f"""# Fuzz of the published API

Schemathesis, every check but one, {examples} examples for each operation and kind of model, by
`python -m benchmarks.fuzz {examples}`. The one left out says that every request within the schema
gets
a 2xx; an entity may be unknown, and the document says so.

| model | requests | failures (5xx, undocumented answers, bad input accepted) | s |
|---|---|---|---|
"""
    (RESULTS / "fuzz.md").write_text(page + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
