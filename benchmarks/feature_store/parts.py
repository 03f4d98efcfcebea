"""What is measured, each part in a process of its own: `python -m benchmarks.feature_store.parts`.

A part prints what it did, in rows and cells, what it took of CPU since its libraries were loaded
and its work began, and the most memory that its process ever held.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlops_assets.ml.frames import TIMESTAMP
from mlops_assets.records.data import FeatureView, references
from resources.feature_store import FeastFeatureStore

FEATURES = {f"f{number}": "float64" for number in range(10)}
SHAPES = {"monthly": (12, 30, "365d"), "daily": (100, 1, "31d")}
"""Moments of each entity, days between them, TTL."""
FIRST = pd.Timestamp("2026-01-01", tz="UTC")

MODULE = "benchmarks.feature_store.parts"

Facts = dict[str, Any]


@contextmanager
def measured(facts: Facts) -> Generator[None]:
    """Add to `facts` what the body takes."""
    started = time.process_time()
    yield
    facts["cpu_s"] = time.process_time() - started
    facts["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def offline_view(shape: str) -> FeatureView:
    """Without an entity nothing is published online; rows are joined by their number."""
    ttl = SHAPES[shape][2]
    return FeatureView.model_validate(
        {"name": shape, "entity": None, "features": FEATURES, "ttl": ttl}
    )


def prepare(folder: str, shape: str, rows: int) -> Facts:
    """Publish about so many rows, and write as many keys, sorted by time as the graph has them."""
    moments, step, _ = SHAPES[shape]
    entities, random = rows // moments, np.random.default_rng(0)
    days = np.repeat(np.arange(moments), entities) * step
    frame = pd.DataFrame(
        {
            "row": np.tile(np.arange(entities) * 7 + 1, moments),
            TIMESTAMP: FIRST + pd.to_timedelta(days, unit="D"),
            **{name: random.normal(size=len(days)) for name in FEATURES},
        }
    )
    FeastFeatureStore(root=folder).publish(offline_view(shape), frame)
    frame[["row", TIMESTAMP]].assign(label=1.0).to_parquet(Path(folder, "keys.parquet"))
    return {"rows": len(frame)}


def join(folder: str, shape: str) -> Facts:
    """Ours."""
    store, view = FeastFeatureStore(root=folder), offline_view(shape)
    keys = pd.read_parquet(Path(folder, "keys.parquet"))
    store.training_rows(view, keys.head(1))  # what is imported at first
    facts: Facts = {"asked": len(keys)}
    with measured(facts):
        joined = store.training_rows(view, keys)
    return {**facts, **said_of(joined)}


def join_by_feast(folder: str, shape: str) -> Facts:
    """The same asked of Feast's own plan."""
    from mlops_assets.serving.online.feast import open_feast

    owned, view = FeastFeatureStore(root=folder), offline_view(shape)
    store, features = open_feast(owned.serving_config(view)), references(view)
    keys = pd.read_parquet(Path(folder, "keys.parquet"))
    with owned._quiet():
        store.get_historical_features(entity_df=keys.head(1), features=features).to_df()
    facts: Facts = {"asked": len(keys)}
    with owned._quiet(), measured(facts):
        joined = store.get_historical_features(entity_df=keys, features=features).to_df()
        joined = joined.sort_values([TIMESTAMP, "row"], ignore_index=True)
    return {**facts, **said_of(joined)}


def said_of(joined: pd.DataFrame) -> Facts:
    """What two joins of the same must agree in."""
    return {"joined": len(joined), "sum": float(np.nansum(joined["f3"]))}


def publish(folder: str, entities: int) -> Facts:
    """A first publication, the same again, one in which a tenth is new, and one of all anew."""
    view = FeatureView.model_validate(
        {"name": "shop", "entity": {"name": "who"}, "features": FEATURES, "ttl": "31d"}
    )
    store = FeastFeatureStore(root=folder)
    store.publish(view, _online(1, 0))  # what is imported at first
    changed = np.arange(entities) % 10 == 0
    first, last = _online(entities, 1), _online(entities, 2)
    tenth = pd.concat([first[~changed], last[changed]])
    facts: Facts = {}
    for name, rows in {"first": first, "same": first, "tenth": tenth, "all": last}.items():
        facts[name] = {}
        with measured(facts[name]), counted(facts[name]):
            store.publish(view, rows)
    facts["file_mb"] = Path(folder, "shop", "online.db").stat().st_size / 1e6
    return facts


@contextmanager
def counted(facts: Facts) -> Generator[None]:
    """Add to `facts` how many cells of the online table the body wrote."""
    from resources.online_table import _Table

    table: Any = _Table
    write, cells = table.write, []

    def counting(*given: Any) -> int:
        cells.append(write(*given))
        return cells[-1]

    table.write = counting
    try:
        yield
    finally:
        table.write = write
    facts["cells"] = sum(cells)


def _online(entities: int, seed: int) -> pd.DataFrame:
    """A row of each, of the day `seed`."""
    random = np.random.default_rng(seed)
    values = {name: random.normal(size=entities) for name in FEATURES}
    moment = FIRST + pd.Timedelta(days=seed)
    return pd.DataFrame({"who": np.arange(entities) * 7 + 1, TIMESTAMP: moment, **values})


def log_dataset(folder: str, rows: int) -> Facts:
    """What MLflow is told of a training's rows, and what it would have looked at itself."""
    import mlflow
    from mlflow.data.pandas_dataset import from_pandas

    from resources.tracking.run import schema_sample
    from resources.tracking.tracking import MLflowTracking

    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"f{number}": random.normal(size=rows) for number in range(19)})
    frame["text"] = ["a", "b", None, "c"] * (rows // 4)
    tracking = MLflowTracking(tracking_uri=f"sqlite:///{folder}/mlflow.db", artifacts=folder)
    facts: Facts = {"rows": rows, "shown": len(schema_sample(frame)), "whole": {}}
    with tracking.run("shop", {}) as run:
        run.log_dataset(frame.head(), name="shop", digest="0" * 32, target="f0")
        with measured(facts):
            run.log_dataset(frame, name="shop", digest="1" * 32, target="f0")
        with measured(facts["whole"]):
            data = from_pandas(frame, name="shop", targets="f0", digest="2" * 32)
            mlflow.log_input(data, context="training")
    return facts


PARTS: dict[str, Callable[..., Facts]] = {
    part.__name__: part for part in (prepare, join, join_by_feast, publish, log_dataset)
}


def run(part: str, *arguments: str | int) -> Facts:
    """A part in a process of its own, by one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "POLARS_MAX_THREADS"), "1")
    module = ["-m", MODULE] if part in PARTS else [str(Path(__file__).with_name(part))]
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            *module,
            *([part] if part in PARTS else []),
            *map(str, arguments),
        ],
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
