"""The same by Polars, a process of its own."""

import json
import resource
import sys
import time
from pathlib import Path

import polars as pl

(folder,) = sys.argv[1:]
started = time.process_time()
files = sorted(Path(folder, "endpoints", "toy", "predictions").glob("*.jsonl"))
moments = [
    pl.from_epoch((pl.col(name) * 1e6).cast(pl.Int64), time_unit="us").alias(name)
    for name in ("logged_at", "event_time", "features_as_of")
]
rows = (
    pl.concat([pl.read_ndjson(file) for file in files])
    .unnest("features")
    .with_columns(pl.col("scores").list.max().alias("score"), *moments)
    .drop("scores")
    .unique(["request_id", "row", "role"], keep="first", maintain_order=True)
    .sort("event_time")
)
rows.write_parquet(f"{folder}/polars.parquet")
cpu = time.process_time() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"rows": len(rows), "cpu_s": cpu, "peak_mb": peak}))
