"""What is measured, each part in a process of its own: `python -m benchmarks.compaction.parts`.

A part prints how many rows it wrote, what it took of CPU since its libraries were loaded, and the
most memory that its process ever held.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from mlops_assets.ml.inference.log_lines import LogLine
from resources.prediction_log.log import PredictionLog

MODULE = "benchmarks.compaction.parts"
FEATURES = 20
_LINES = 100_000
_MADE = 1_000_000
_MIDNIGHT = 1_772_323_200.0
_DEAD = 2**22 + 1
"""A pid that Linux never gives."""

Facts = dict[str, Any]


def make(folder: str, rows: int, seed: int = 0, lines: int = _LINES) -> Facts:
    """Write the lines of a day as an endpoint does: 19 numbers and a text of three.

    Of more than a million the others are the first again under other ids.
    """
    if rows > _MADE:
        make(folder, _MADE, seed, lines)
        for file in Path(folder, "endpoints", "toy", "predictions").glob("*.jsonl"):
            writer, number = file.stem.rsplit("-", 1)
            for again in range(1, rows // _MADE):
                name = f"{writer}-{int(number) + again * _MADE // lines}.jsonl"
                other = b'"request_id":"%d-' % again
                content = file.read_bytes().replace(b'"request_id":"', other)
                file.with_name(name).write_bytes(content)
        return {"rows": rows}
    random, encoder = np.random.default_rng(seed), msgspec.json.Encoder()
    place = Path(folder, "endpoints", "toy", "predictions")
    place.mkdir(parents=True, exist_ok=True)
    for first in range(0, rows, lines):
        many = min(lines, rows - first)
        values = random.normal(size=(many, FEATURES - 1)).tolist()
        texts, ids = random.choice(["a", "b", "c"], many), random.bytes(16 * many)
        file = place / f"2026-03-01-{_DEAD + seed}-{first // lines}.jsonl"
        with file.open("wb") as opened:
            for row, numbers in enumerate(values):
                moment = _MIDNIGHT + (first + row) * 86_399 / rows
                features = {f"x{place}": number for place, number in enumerate(numbers)}
                line = LogLine(
                    request_id=uuid.UUID(bytes=ids[16 * row : 16 * row + 16]).hex,
                    row=0,
                    logged_at=moment + 0.25,
                    event_time=moment,
                    source="online",
                    role="primary",
                    entity=10**9 + first + row,
                    features_as_of=moment - 60,
                    features=features | {"text": str(texts[row])},
                    scores=[abs(numbers[0]) % 1],
                    model_version=1,
                    generation=3,
                    latency_seconds=0.002,
                )
                opened.write(encoder.encode(line) + b"\n")
    return {"rows": rows}


def day(folder: str) -> Facts:
    """Compact all files anew."""
    for marker in Path(folder, "endpoints", "toy", "predictions").glob("*.done"):
        marker.unlink()
    shutil.rmtree(Path(folder, "log"), ignore_errors=True)
    return next_hour(folder)


def next_hour(folder: str) -> Facts:
    """Compact what is new."""
    import resources.prediction_log.merging  # noqa: F401 - what is imported at first

    log = PredictionLog(endpoints=f"{folder}/endpoints", root=f"{folder}/log")
    started = time.process_time()
    rows = log.compact("toy").rows
    cpu = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": rows, "cpu_s": cpu, "peak_mb": peak}


PARTS: dict[str, Callable[..., Facts]] = {one.__name__: one for one in (make, day, next_hour)}


def run(part: str, *arguments: str | int) -> Facts:
    """A part in a process of its own, by one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    module = ["-m", MODULE, part] if part in PARTS else [str(Path(__file__).with_name(part))]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *module, *map(str, arguments)],
        stdout=subprocess.PIPE,
        env={**os.environ, **threads},
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print what the part that is named did."""
    import pyarrow as pa

    pa.set_cpu_count(1)
    part, *given = sys.argv[1:]
    arguments = [int(text) if text.isdigit() else text for text in given]
    print(json.dumps(PARTS[part](*arguments)))


if __name__ == "__main__":
    main()
