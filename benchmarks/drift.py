"""Drift from profiles beside Evidently's default preset: CPU, memory, verdicts, false alarms.

Each part runs in processes of its own, on one thread; Evidently's import stands apart, because a
long-lived process pays it once. Both judge the same rows: half of the columns are drawn as in the
reference, the other half clearly differ.

    python -m benchmarks.drift              # writes results/drift.md
"""

import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.page import publish, sized
from mlops_assets.ml.monitoring.drift import summarize
from mlops_assets.ml.monitoring.live_profiles import answered
from mlops_assets.ml.monitoring.prediction_log import FEATURE
from mlops_assets.ml.monitoring.profiles import PREDICTION, profile, profile_reference
from mlops_assets.records.monitoring import DriftSummary, Window
from mlops_assets.records.profile import Counting, Profile
from resources.prediction_log.log import PredictionLog
from tests.support.toy_models import flat_table

ROWS, COLUMNS = sized(200_000, 2_000), 20
WIDE_ROWS, WIDE_COLUMNS = sized((100_000, 1_000), (1_000, 60))
YEARS, DAYS, ROUNDS = sized((10, 365, 3), (1, 5, 1))
DAILY_ROWS = (300, 2_000)
START = datetime(2024, 3, 1, tzinfo=UTC)
MODEL = flat_table({"x": "float64", "y": "float64"})
"""The verdict depends on the defaults of its `monitoring.drift` only."""
WINDOW = Window(start=START, end=START + timedelta(days=1))


def main() -> None:
    """Run every part and write the page."""
    if len(sys.argv) > 1:
        print(json.dumps(PARTS[sys.argv[1]]()))
        return
    found = {name: _median(name) for name in PARTS}
    page = _page(found)
    publish("drift", page)


def _median(part: str) -> Any:
    """Of the processes the middle one by its CPU seconds, where seconds are compared."""
    key = COMPARED.get(part)
    if key is None:
        return _run(part)
    return sorted((_run(part) for _ in range(ROUNDS)), key=lambda one: one[key])[ROUNDS // 2]


def _run(part: str) -> Any:
    one_thread = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.drift", part]
    done = subprocess.run(
        command, env=os.environ | one_thread, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def _columns(seed: int, *, moved: bool) -> pd.DataFrame:
    """Normal, skewed, mostly zero, binary and text columns, four of each; half of each moves."""
    rng = np.random.default_rng(seed)
    frame = {}
    for i in range(COLUMNS // 5):
        by = float(moved and i % 2)
        mostly_zero = rng.uniform(size=ROWS) < 0.9 - 0.4 * by
        frame |= {
            f"normal_{i}": rng.normal(by, 1, ROWS),
            f"skewed_{i}": rng.lognormal(by, 1, ROWS),
            f"zeros_{i}": np.where(mostly_zero, 0.0, rng.lognormal(3, 1, ROWS)),
            f"flag_{i}": (rng.uniform(size=ROWS) < 0.3 + 0.4 * by).astype(np.float64),
            f"text_{i}": rng.choice(list("abcd"), ROWS, p=_shares(by)),
        }
    return pd.DataFrame(frame)


def _kinds(columns: pd.DataFrame) -> Any:
    features = [name for name in columns if name != PREDICTION]
    return {name: "string" if name.startswith("text") else "float64" for name in features}


def _shares(by: float) -> list[float]:
    return [0.1, 0.2, 0.3, 0.4] if by else [0.4, 0.3, 0.2, 0.1]


def _ours() -> dict[str, Any]:
    old, new = (
        _columns(seed, moved=moved).assign(**{PREDICTION: 0.5})
        for seed, moved in ((0, False), (1, True))
    )
    begin = time.process_time()
    import scipy.special  # noqa: F401  the only library that a verdict loads

    start = time.process_time()
    reference = profile_reference(old, _kinds(old))
    first = time.process_time()
    summary = _judge(reference, new)
    end = time.process_time()
    return {
        "import": start - begin,
        "reference": first - start,
        "window": end - first,
        "drifted": sorted(summary.drifted_columns),
        "bytes": max(len(c.model_dump_json().encode()) for c in reference.columns.values()),
    }


def _daily() -> dict[str, Any]:
    """What a run of `drift_report` does about a day of the prediction log, the first time and then.

    The rows are those of `_ours`, in a day's Parquet; reading it and the stored profile is counted.
    """
    columns = _columns(1, moved=True).add_prefix(FEATURE)
    moments = pd.Series(pd.Timestamp(START + timedelta(hours=1)), index=columns.index)
    log = columns.assign(
        request_id=[f"r{i}" for i in range(ROWS)], row=0, role="primary", model_version=1,
        score=0.5, event_time=moments, features_as_of=moments,
    )  # fmt: skip
    old = _columns(0, moved=False).assign(**{PREDICTION: 0.5})
    reference = profile_reference(old, _kinds(old))
    counting = Counting(bins=reference.bins, window=timedelta(days=1))
    import pyarrow.parquet  # noqa: F401  loaded by any run that reads assets
    import scipy.special  # noqa: F401

    with TemporaryDirectory() as folder:
        predictions = PredictionLog(endpoints=folder, root=folder)
        file = Path(folder, "toy", f"{START:%Y-%m-%d}.parquet")
        file.parent.mkdir()
        log.to_parquet(file, index=False)
        spent, verdicts = [], set()
        for _ in range(2):
            start = time.process_time()
            live = answered(predictions.parts("toy", [WINDOW], counting, [1]), counting)
            verdicts.add(summarize(reference, live, MODEL, 1, WINDOW).drifted_columns)
            spent.append(time.process_time() - start)
        kept = sum(path.stat().st_size for path in Path(folder).rglob("*.json"))
    (drifted,) = verdicts
    return {"first": spent[0], "again": spent[1], "bytes": kept, "drifted": sorted(drifted)}


def _evidently() -> dict[str, Any]:
    old, new = _columns(0, moved=False), _columns(1, moved=True)
    texts = [name for name in old if name.startswith("text")]
    start = time.process_time()
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    imported = time.process_time()
    numbers = [name for name in old if name not in texts]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=texts)
    current, reference = (Dataset.from_pandas(side, definition) for side in (new, old))
    snapshot = Report([DataDriftPreset()], include_tests=True).run(current, reference)
    end = time.process_time()
    failed = [test for test in snapshot.dict()["tests"] if "FAIL" in str(test["status"])]
    named = {name for name in old for test in failed if name in json.dumps(test, default=str)}
    return {"import": imported - start, "run": end - imported, "drifted": sorted(named)}


def _wide() -> dict[str, Any]:
    """The window is one frame in memory, as the log is read; the reference is made in blocks."""
    kinds: Any = {f"x{i}": "float64" for i in range(WIDE_COLUMNS)}
    blocks = (list(kinds)[i : i + 50] for i in range(0, WIDE_COLUMNS, 50))
    rng, columns, cpu = np.random.default_rng(0), {}, 0.0
    for block in blocks:
        part = pd.DataFrame(rng.normal(size=(WIDE_ROWS, len(block))), columns=pd.Index(block))
        start = time.process_time()
        found = profile_reference(part.assign(**{PREDICTION: 0.5}), {n: kinds[n] for n in block})
        cpu += time.process_time() - start
        columns |= found.columns
    reference = Profile(rows=WIDE_ROWS, columns=columns)
    values = rng.standard_normal((WIDE_COLUMNS, WIDE_ROWS), dtype=np.float32)
    live = pd.DataFrame(values.T, columns=pd.Index(kinds), copy=False)
    live[PREDICTION] = np.float32(0.5)
    start = time.process_time()
    summary = _judge(reference, live)
    return {
        "reference": cpu,
        "window": time.process_time() - start,
        "frame_mb": values.nbytes / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "drifted": list(summary.drifted_columns),
    }


def _years() -> list[dict[str, Any]]:
    kinds: Any = {f"x{i}": "float64" for i in range(COLUMNS)}
    found: list[dict[str, Any]] = []
    for rows in DAILY_ROWS:
        alarms = []
        for year in range(YEARS):
            rng = np.random.default_rng([rows, year])
            reference = profile_reference(_day(rng, 5_000, list(kinds)), kinds)
            days = (_judge(reference, _day(rng, rows, list(kinds))) for _ in range(DAYS))
            alarms.append(sum(day.verdict == "drifted" for day in days))
        found.append({"rows": rows, "alarms": alarms})
    return found


def _day(rng: np.random.Generator, rows: int, names: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rng.normal(size=(rows, len(names))), columns=pd.Index(names))
    return frame.assign(**{PREDICTION: rng.uniform(size=rows)})


def _judge(reference: Profile, live: pd.DataFrame) -> DriftSummary:
    return summarize(reference, profile(live, reference.bins), MODEL, 1, WINDOW)


def _page(found: dict[str, Any]) -> str:
    ours, daily, peer, wide = (found[name] for name in ("ours", "daily", "evidently", "wide"))
    both = ours["reference"] + ours["window"]
    expected = sorted(n for n in _names() if int(n[-1]) % 2)
    lines = [
        "# Drift from profiles\n",
        f"{COLUMNS} columns of {ROWS:,} rows on each side, "
        f"{len(expected)} of which clearly moved; CPU seconds of one thread, medians of three "
        "processes:\n",
        "| | CPU s | Evidently costs | moved columns found | false |",
        "|---|---|---|---|---|",
        f"| Evidently, default preset | {peer['run']:.2f} | | "
        + _verdicts(peer["drifted"], expected),
        f"| profiles of both sides made anew | {both:.3f} | {peer['run'] / both:.0f} times | "
        + _verdicts(ours["drifted"], expected),
        f"| of which the window, and the verdict | {ours['window']:.3f} | "
        f"{peer['run'] / ours['window']:.0f} times | | |",
        f"| a report on a new day of the log, its Parquet read | {daily['first']:.3f} | "
        f"{peer['run'] / daily['first']:.0f} times | " + _verdicts(daily["drifted"], expected),
        f"| a report on a day that was counted before | {daily['again']:.3f} | "
        f"{peer['run'] / daily['again']:.0f} times | " + _verdicts(daily["drifted"], expected),
        f"\nImports stand apart: {peer['import']:.1f} s of Evidently, {ours['import']:.2f} s of "
        f"ours. The largest column's profile is {ours['bytes']:,} bytes of JSON, the day's "
        f"{daily['bytes'] / 1e3:.0f} kB.\n",
        f"{WIDE_COLUMNS:,} columns of {WIDE_ROWS:,} rows: {wide['reference']:.1f} s of CPU for the "
        f"reference, in blocks of 50 columns, and {wide['window']:.1f} s for a window; peak memory "
        f"{wide['peak_mb']:,.0f} MB, of which the window's frame (float32) takes "
        f"{wide['frame_mb']:,.0f} MB. Nothing had moved; drifted: {len(wide['drifted'])}.\n",
        f"Years without drift, {YEARS} a line, {DAYS} daily windows of {COLUMNS} columns and the "
        "prediction:\n",
        "| rows a day | false alarms by year | most |",
        "|---|---|---|",
        *(
            f"| {one['rows']:,} | {', '.join(map(str, one['alarms']))} | {max(one['alarms'])} |"
            for one in found["years"]
        ),
    ]
    return "\n".join(lines) + "\n"


def _names() -> list[str]:
    kinds = ("normal", "skewed", "zeros", "flag", "text")
    return [f"{kind}_{i}" for kind in kinds for i in range(COLUMNS // 5)]


def _verdicts(drifted: list[str], expected: list[str]) -> str:
    hits = len(set(drifted) & set(expected))
    return f"{hits} of {len(expected)} | {len(set(drifted) - set(expected))} |"


PARTS = {"ours": _ours, "daily": _daily, "evidently": _evidently, "wide": _wide, "years": _years}
COMPARED = {"ours": "window", "daily": "first", "evidently": "run"}
"""Their seconds are compared."""

if __name__ == "__main__":
    main()
