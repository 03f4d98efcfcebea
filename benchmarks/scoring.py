"""`mlops score` of a table beside a bare ONNX Runtime loop over the same Parquet.

The loop reads row groups, builds the matrix, runs the same graph and writes ids and scores. Ours
does as much, holds each value to the contract, asks in the endpoint's requests, and writes the
prediction log with all features. Each part runs in a process of its own, in alternating rounds;
CPU is of the work, without the imports.

    python -m benchmarks.scoring      # writes results/scoring.md
"""

import hashlib
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.page import publish, sized

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.config import ModelSettings

FEATURES, ROUNDS, GROUP = 20, sized(5, 1), sized(131_072, 2_000)
ROWS = sized((1_000_000, 4_000_000), (3_500,))
ESTIMATORS = {
    "logistic regression": "sklearn.linear_model.LogisticRegression",
    "100 boosted trees": "sklearn.ensemble.HistGradientBoostingClassifier",
}
NAMES = [f"x{number}" for number in range(FEATURES)]

Figures = dict[str, dict[str, float]]


def main() -> None:
    """Run every part and write the page."""
    if len(sys.argv) > 1:
        part, folder = sys.argv[1:]
        print(json.dumps(PARTS[part](Path(folder))))
        return
    found = {}
    for name, estimator in ESTIMATORS.items():
        for rows in ROWS:
            with tempfile.TemporaryDirectory() as folder:
                made = make(Path(folder), estimator, rows)
                found[name, rows] = measured(made, ROUNDS if rows == ROWS[0] else 3)
    publish("scoring", _page(found))


def make(folder: Path, estimator: str, rows: int) -> Path:
    """A deployed model, and a table of so many rows; the same folder."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    settings = _settings(estimator)
    random = np.random.default_rng(0)
    train = pd.DataFrame(random.normal(size=(20_000, FEATURES)), columns=pd.Index(NAMES))
    train["y"] = (train["x0"] + random.normal(size=len(train)) > 0).astype(int)
    _deploy(folder, train, settings)
    (folder / "settings.json").write_text(settings.model_dump_json(), encoding="utf-8")
    groups, done = -(-rows // GROUP), 0
    schema = pa.schema([("id", pa.int64()), *((name, pa.float64()) for name in NAMES)])
    with pq.ParquetWriter(folder / "table.parquet", schema) as writer:
        for _ in range(groups):
            count = min(GROUP, rows - done)
            columns = [pa.array(random.normal(size=count)) for _ in NAMES]
            ids = pa.array(np.arange(done, done + count))
            writer.write_table(pa.table([ids, *columns], schema=schema))
            done += count
    return folder


def _settings(estimator: str) -> "ModelSettings":
    from mlops_assets.config import ModelSettings

    number = {"dtype": "float64", "min": -1000, "max": 1000}
    return ModelSettings.model_validate(
        {
            "name": "bench",
            "source": {"uri": "table.parquet", "format": "parquet"},
            "entity": {"name": "id"},
            "contract": {
                "columns": {
                    "id": {"dtype": "int64"},
                    **dict.fromkeys(NAMES, number),
                    "y": {"dtype": "int64"},
                }
            },
            "features": {"columns": NAMES, "ttl": "30d"},
            "target": {"name": "y", "task": "binary"},
            "training": {"estimator": estimator, "scale": True},
            "evaluation": {"primary": "log_loss"},
            "deployment": {"port": 18_300},
        }
    )


def _deploy(folder: Path, train: "pd.DataFrame", settings: "ModelSettings") -> None:
    """What a deployment leaves in an endpoint's folder."""
    import skops.io

    from mlops_assets.ml.export.parity import export_checked
    from mlops_assets.ml.inference.scoring import Scored
    from mlops_assets.ml.training.fit import fit
    from mlops_assets.records.data import FeatureView
    from mlops_assets.records.serving import OnlineFeatures, Servable
    from resources.endpoints.folder import EndpointFolder

    model = fit(train, settings)
    exported = export_checked(Scored.of(model, train, settings), settings.feature_dtypes)
    file = folder / "model.skops"
    skops.io.dump(model, file)
    file.with_suffix(".onnx").write_bytes(exported.content or b"")
    servable = Servable(
        model_name=settings.name,
        model_version=1,
        task="binary",
        entity=settings.entity,
        features=settings.feature_dtypes,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        inference=exported.inference,
    )
    endpoint = EndpointFolder(folder / "endpoints" / settings.name)
    staged = endpoint.stage(servable, file, [])
    online = OnlineFeatures(store={}, view=FeatureView.of(settings), as_of=None)
    endpoint.mark_verified(endpoint.wanted(servable, staged, online, settings.deployment))


def bare(folder: Path) -> dict[str, float]:
    """Row groups, matrix, graph, Parquet, and nothing else."""
    import numpy as np
    import onnxruntime
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _spent() as spent:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(folder / "model.onnx", options)
        schema = pa.schema([("id", pa.int64()), ("prediction", pa.float64())])
        with (
            pq.ParquetFile(folder / "table.parquet") as table,
            pq.ParquetWriter(folder / "bare.parquet", schema) as writer,
        ):
            for number in range(table.num_row_groups):
                rows = table.read_row_group(number)
                matrix = np.column_stack([rows[name].to_numpy() for name in NAMES])
                scores = np.asarray(session.run(["scores"], {"numbers": matrix})[0])
                writer.write_table(pa.table([rows["id"], pa.array(scores[:, 0])], schema=schema))
    return spent


def ours(folder: Path) -> dict[str, float]:
    """What `mlops score` does after it has loaded the definitions."""
    from datetime import UTC, datetime

    import onnxruntime  # noqa: F401  as the loop's, of no account
    import pandas as pd  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    from mlops_assets.config import ModelSettings
    from mlops_assets.scoring.batch import Batches
    from mlops_assets.scoring.table import Table
    from resources.deployment import EndpointTargets
    from resources.prediction_log.log import PredictionLog

    settings = ModelSettings.model_validate_json((folder / "settings.json").read_text())
    endpoints, root = str(folder / "endpoints"), tempfile.mkdtemp(dir=folder)
    log = PredictionLog(endpoints=endpoints, root=root)
    with _spent() as spent:
        batches = Batches.of(settings, EndpointTargets(root=endpoints), log)
        table = Table([folder / "table.parquet"], settings, datetime.now(UTC))
        batches.score(table, folder / "ours.parquet")
    shutil.rmtree(root)
    return spent


@contextmanager
def _spent() -> Generator[dict[str, float]]:
    """CPU seconds of the body, and the peak of the process in MB, once it has ended."""
    spent: dict[str, float] = {}
    started = time.process_time()
    yield spent
    spent["cpu"] = time.process_time() - started
    spent["mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


PARTS: dict[str, Callable[[Path], dict[str, float]]] = {"bare": bare, "ours": ours}


def measured(folder: Path, rounds: int) -> Figures:
    """Medians of what each part took."""
    runs: dict[str, list[dict[str, float]]] = {part: [] for part in PARTS}
    for _ in range(rounds):
        for part in PARTS:
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.scoring", part]
            done = subprocess.run(
                [*command, str(folder)], stdout=subprocess.PIPE, text=True, check=True
            )
            runs[part].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        part: {name: median(run[name] for run in found) for name in found[0]}
        for part, found in runs.items()
    }


def _page(found: Mapping[tuple[str, int], Figures]) -> str:
    lines = [
        "# Scoring a table",
        "",
        f"Medians of alternating rounds, "
        f"{FEATURES} columns of float64 and an id in row groups of {GROUP:,}, one thread.",
        "",
        "| model | rows | bare loop, CPU s | ours, CPU s | ratio | bare loop, MB | ours, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for (name, rows), parts in found.items():
        bare_, ours_ = parts["bare"], parts["ours"]
        ratio = ours_["cpu"] / bare_["cpu"]
        lines.append(
            f"| {name} | {rows:,} | {bare_['cpu']:.2f} | {ours_['cpu']:.2f} | {ratio:.2f} "
            f"| {bare_['mb']:.0f} | {ours_['mb']:.0f} |"
        )
    return "\n".join([*lines, "", *NOTES, ""])


NOTES = (
    "The loop reads row groups, builds the matrix, runs the graph, and writes ids and scores. Ours",
    "also holds each value to the contract, hashes the file, asks in requests of 1,000 rows, and",
    "writes the prediction log with all features. Without imports, and without loading Dagster's",
    "definitions. Of the cheapest model the loop's first megabytes are a large part of what it",
    "takes for a million rows, so that the ratio grows with the rows.",
)


if __name__ == "__main__":
    main()
