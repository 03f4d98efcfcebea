"""Features by entity id: Feast's table read directly beside `get_online_features`, one store.

Each part runs in a process of its own. Opening includes the imports. The last columns are measured
while another process publishes the same features again and again.

    python -m benchmarks.online_lookup      # writes results/online_lookup.md
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psutil

from benchmarks.page import publish, sized
from mlops_assets.blocks.data import EntitySettings
from mlops_assets.records.data import FeatureView
from mlops_assets.records.serving import OnlineFeatures

ENTITIES, FEATURES = sized(20_000, 200), 5
BATCHES = sized({1: 3_000, 100: 60}, {1: 20, 100: 2})
"""Entities per lookup -> lookups."""
SECONDS = sized(10.0, 0.2)
"""How long each lookup is watched while another process publishes."""
AS_OF = datetime(2024, 1, 10, tzinfo=UTC)
VIEW = FeatureView(
    name="bench",
    entity=EntitySettings(name="customer_id", dtype="int64"),
    features={f"feature_{number}": "float64" for number in range(FEATURES)},
    ttl=timedelta(days=31),
)


def main() -> None:
    """Run every part and write the page."""
    if len(sys.argv) > 1:
        part, *arguments = sys.argv[1:]
        {"publish": _publish_on, "measure": _measure}[part](*arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        online = _publish(folder, 0)
        found = {
            kind: _run(online.model_copy(update={"lookup": kind}), folder)
            for kind in ("direct", "feast")
        }
    page = _page(found)
    publish("online_lookup", page)


def _publish(folder: str, number: int) -> OnlineFeatures:
    import pandas as pd

    from resources.feature_store import FeastFeatureStore

    values = {name: np.random.default_rng(number).normal(size=ENTITIES) for name in VIEW.features}
    moment = pd.Timestamp(AS_OF) + pd.Timedelta(seconds=number)
    rows = pd.DataFrame({"customer_id": range(ENTITIES), "event_timestamp": moment, **values})
    store = FeastFeatureStore(root=folder)
    store.publish(VIEW, rows)
    return OnlineFeatures(store=store.serving_config(VIEW), view=VIEW, as_of=AS_OF)


def _publish_on(folder: str) -> None:
    for number in range(1, 1_000):
        _publish(folder, number)
        print(number, flush=True)


def _run(online: OnlineFeatures, folder: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.online_lookup"]
    done = subprocess.run(
        [*command, "measure", online.model_dump_json(), folder],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def _measure(given: str, folder: str) -> None:
    from mlops_assets.serving.online.choice import open_online

    online, memory = OnlineFeatures.model_validate_json(given), psutil.Process().memory_info
    before, started = memory().rss, time.process_time()
    lookup = open_online(online)
    facts: dict[str, Any] = {
        "open_seconds": time.process_time() - started,
        "open_mb": (memory().rss - before) / 1e6,
    }
    random = np.random.default_rng(0)
    for size, count in BATCHES.items():
        asked = random.integers(0, ENTITIES, (count, size)).tolist()
        started = time.process_time()
        for entities in asked:
            lookup.lookup(entities)
        facts[f"cpu_{size}"] = (time.process_time() - started) / count
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.online_lookup", "publish", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()  # the imports are done
        facts["waits"] = _watch(lookup, random.integers(0, ENTITIES, 1_000).tolist())
        other.kill()
    print(json.dumps(facts))


def _watch(lookup: Any, entities: Sequence[int]) -> list[float]:
    waits, ends = [], time.perf_counter() + SECONDS
    while time.perf_counter() < ends:
        started = time.perf_counter()
        lookup.lookup([entities[len(waits) % len(entities)]])
        waits.append(time.perf_counter() - started)
    return np.quantile(waits, [0.5, 0.99, 1]).tolist()


def _page(found: dict[str, dict[str, Any]]) -> str:
    names = {"direct": "the table itself", "feast": "Feast's SDK"}
    lines = [
        "# Features by entity id",
        "",
        f"{ENTITIES:,} entities with {FEATURES} features each in Feast's sqlite store.",
        "",
        "| lookup | opening, CPU s | opening, MB | 1 entity, CPU us | 100 entities, CPU us "
        "| while published: p50, p99, longest, ms |",
        "|---|---|---|---|---|---|",
    ]
    for kind, facts in found.items():
        waits = ", ".join(f"{1e3 * wait:.2f}" for wait in facts["waits"])
        lines.append(
            f"| {names[kind]} | {facts['open_seconds']:.2f} | {facts['open_mb']:.0f} "
            f"| {1e6 * facts['cpu_1']:.0f} | {1e6 * facts['cpu_100']:.0f} | {waits} |"
        )
    direct, feast = found["direct"], found["feast"]
    ratios = [f"{feast[key] / direct[key]:.0f}" for key in ("cpu_1", "cpu_100")]
    lines += ["", f"The SDK takes {ratios[0]} times the CPU for one entity, {ratios[1]} for 100."]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
