"""The same join by Polars, a process of its own.

FOLDER is what `parts.prepare` made, DAYS the TTL.
"""

import datetime
import json
import resource
import sys
import time

import numpy as np
import pandas as pd
import polars as pl

folder, shape, days = sys.argv[1:]
keys = pd.read_parquet(f"{folder}/keys.parquet")
started = time.process_time()
moment = pl.col("event_timestamp").dt.cast_time_unit("us")
features = pl.read_parquet(f"{folder}/{shape}/features.parquet").sort("event_timestamp")
asked = pl.from_pandas(keys).with_columns(moment).sort("event_timestamp")
ttl = datetime.timedelta(days=int(days))
found = asked.join_asof(features, on="event_timestamp", by="row", tolerance=ttl)
joined = found.sort("event_timestamp", "row").to_pandas()
facts = {
    "cpu_s": time.process_time() - started,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "asked": len(keys),
    "joined": len(joined),
    "sum": float(np.nansum(joined["f3"])),
}
print(json.dumps(facts))
