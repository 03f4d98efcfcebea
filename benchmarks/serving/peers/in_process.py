"""The prediction alone, without a server: one call after the other in this process.

Reads lines of JSON from stdin, `runtime` (`sklearn` or `onnx`), `bodies` (sent in turn) and
`seconds`, and answers each by a line: `scores` of the first body, `requests`, `seconds`, `cpu` in
seconds, sorted `latencies`. Ends when stdin is closed.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import joblib
import pandas as pd

from benchmarks.serving.peers.bare_onnx import scores as onnx_scores

model = joblib.load(os.environ["PEER_MODEL"])


def sklearn_scores(body: bytes) -> list[float]:
    """JSON, DataFrame, pipeline."""
    return model.predict_proba(pd.DataFrame(json.loads(body)["rows"]))[:, 1].tolist()


RUNTIMES: dict[str, Callable[[bytes], list[float]]] = {
    "sklearn": sklearn_scores,
    "onnx": onnx_scores,
}


def run(runtime: str, bodies: list[str], seconds: float) -> dict[str, Any]:
    """Call for `seconds`."""
    call, asked, latencies = RUNTIMES[runtime], [body.encode() for body in bodies], []
    scores = call(asked[0])
    start, cpu = time.perf_counter(), time.process_time()
    while not latencies or time.perf_counter() - start < seconds:
        began = time.perf_counter()
        call(asked[len(latencies) % len(asked)])
        latencies.append(time.perf_counter() - began)
    return {
        "scores": scores,
        "requests": len(latencies),
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "latencies": sorted(latencies),
    }


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)
