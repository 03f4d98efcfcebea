"""The verb `reproduce`: a version's training run again, apart from everything that is live.

The recorded raw data is copied out of DVC's cache, the recorded code checked out beside the working
tree, and the same assets from `processed_data` to `trained_model` run there in a process with a
state folder of its own. They leave the same kind of record, and the two records are compared.
"""

import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

import numpy as np

from mlops_assets.blocks.sources.partitions import PartitionSettings
from mlops_assets.cli.context import (
    configure_dagster,
    load_definitions,
    open_resources,
    say_facts,
)
from mlops_assets.cli.facts.records import Reproduced
from mlops_assets.engines.choice import asked_anew, is_spark
from mlops_assets.errors import ConfigError, ReproductionError
from mlops_assets.home import FRAMEWORK_ROOT, project
from mlops_assets.interfaces.children import end
from mlops_assets.keys import TrainingStage, asset_key
from mlops_assets.ml.training.reproduction import TOLERANCE, differences, is_exact, moved_packages
from mlops_assets.model_versions.provenance import lock_digest, read_record, read_scores
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.reproduction import Difference, TrainingRecord
from mlops_assets.runtime.atomic import ensure_folder, write_atomically
from mlops_assets.runtime.interrupts import interruptible
from resources.champion.aliases import CHAMPION
from resources.dagster.io import ParquetStorage
from resources.datasets.versions import DvcDatasets
from resources.source_code import checked_out
from resources.tracking.tracking import MLflowTracking

_STAGES: tuple[TrainingStage, ...] = ("processed_data", "features", "trained_model")
_ELSEWHERE = re.compile(
    r"(MLFLOW|DAGSTER|MLOPS_ALERT|MLOPS_UI)_.*|MLOPS_(HOME|PROJECT|EXECUTOR|CONCURRENT_RUNS|SHARED|"
    r"DATABASE|BUCKET|ONLINE_STORE|STORAGE|DVC_CACHE|DATA_ROOT|QUARANTINE|FEAST|LEDGER|DECISIONS|"
    r"ENDPOINTS?|PARTITIONS|PREDICTIONS|BENTOS|MANIFEST|POD|PINNED_NOW|DAGSTER_(URL|MLFLOW)|"
    r"KEEP_MB)"
)
"""Variables that say where live state is, or who runs what; any other one a version may need."""
_LAST_LINES = 15


def reproduce_named(name: str, *, as_json: bool) -> int:
    """Train a version again; exit code 1 when its predictions differ, or it is impossible."""
    model, number = split_name(name)
    with open_resources(load_definitions(), "tracking", "datasets", "ledger") as built:
        if number == CHAMPION and (head := built.ledger.head(model)):
            number = str(head.to_version)  # the alias follows it, or was edited
        version = find_version(model, number, built.tracking)
        recorded, found = reproduce(version, built.tracking, built.datasets)
    said, equal = f"{model}@{version.version}", are_equal(found)
    facts = Reproduced(
        version=said,
        equal=equal,
        prediction_sha256=recorded.prediction_sha256,
        differences=found,
    )
    say_facts(facts, report(said, recorded, found), as_json=as_json)
    return 0 if equal else 1


def split_name(name: str) -> tuple[str, str]:
    """`customers@3` or `customers@champion` -> its parts; `ConfigError` if it is neither."""
    model, _, version = name.partition("@")
    if not model or not (version.isdecimal() or version.isidentifier()):
        raise ConfigError(f"{name!r} names no version; write e.g. customers@3, customers@champion")
    return model, version


def find_version(model: str, version: str, tracking: MLflowTracking) -> ModelVersion:
    """The registered version of a number or alias; `ReproductionError` if there is none."""
    if version.isdecimal():
        found = tracking.registry.version(model, int(version))
    else:
        found = tracking.registry.version_by_alias(model, version)
    if found is None:
        raise ReproductionError(f"the registry has no {model}@{version}; see the MLflow UI")
    return found


def reproduce(
    version: ModelVersion, tracking: MLflowTracking, datasets: DvcDatasets
) -> tuple[TrainingRecord, list[Difference]]:
    """Train the version again; its record, and what was not as recorded.

    Only reads the registry, the cache and the repository. What it makes stands in temporary
    folders, which are gone afterwards, also when it is ended by Ctrl-C or SIGTERM.

    Raises:
        ReproductionError: There is no record, the code cannot be restored, or training failed.
        DatasetError: The raw data is not in the cache, or damaged.
    """
    recorded = read_record(version, tracking)
    with interruptible(), tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        state = Path(folder).resolve()
        datasets.restore(recorded.raw, state / "dvc" / "cache")
        with checked_out(project(), recorded.code) as code:
            train_again(version.name, recorded, code, state)
            found, after = _new_record(version.name, state)
            lock = code / "requirements.lock"
            pins = lock.read_text(encoding="utf-8") if lock.exists() else ""
    moved = moved_packages(pins, {each.name: each.version for each in distributions()})
    digest, before = lock_digest(project()), read_scores(version, tracking)
    scores = None if before is None or after is None else (before, after)
    return recorded, differences(recorded, found, lock_sha256=digest, moved=moved, scores=scores)


def are_equal(found: list[Difference]) -> bool:
    """Whether the predictions are, whatever else differs."""
    return all(each.what != "predictions" for each in found)


def report(name: str, recorded: TrainingRecord, found: list[Difference]) -> str:
    """What a person reads: equal or not, then each difference by name."""
    differ = not are_equal(found)
    verdict = "DIFFERENT" if differ else "equal"
    lines = [f"{name}: {verdict}, predictions sha256 {recorded.prediction_sha256[:12]} recorded"]
    lines += [f"  {each.what}: {each.detail}" for each in found]
    if not is_exact(recorded.engine):
        lines.append(f"  compared within {TOLERANCE:g}, since features were by {recorded.engine}")
    if differ and len(found) == 1:
        lines.append(
            "  nothing else differs by name: the estimator, or a threaded library below it, is "
            "not deterministic"
        )
    return "\n".join(lines)


def train_again(model: str, recorded: TrainingRecord, code: Path, state: Path) -> None:
    """Run the training assets of the code at `code` on the recorded raw data, state in `state`.

    Raises:
        ReproductionError: They failed; with their last lines.
    """
    storage = ParquetStorage(root=str(state / "assets"))
    raw = storage.path(asset_key(model, "raw_data"), type(recorded.raw))
    text = recorded.raw.model_dump_json()
    write_atomically(raw, lambda file: file.write_text(text, encoding="utf-8"))
    keys = ",".join(asset_key(model, stage).to_user_string() for stage in _STAGES)
    command = [sys.executable, "-W", "ignore", "-m", "dagster", "asset", "materialize"]
    process = subprocess.Popen(  # noqa: S603  a list, no shell
        [*command, "-m", "mlops_assets.definitions", "--select", keys, *_partition(recorded)],
        cwd=code,
        env=environment(recorded, code, state),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches us alone, and we end it
        text=True,
    )
    try:
        output, _ = process.communicate()
    except BaseException:
        end([process])
        raise
    if process.returncode:
        last = "\n".join(output.splitlines()[-_LAST_LINES:])
        raise ReproductionError(f"training {model} again failed:\n{last}")


def _partition(recorded: TrainingRecord) -> list[str]:
    """Of a model with partitions, that of the training: all others, missing, are made with it."""
    said = recorded.settings.get("partitions")
    if said is None:
        return []
    day = datetime.fromisoformat(recorded.checked_at).astimezone(UTC).date()
    return ["--partition", PartitionSettings.model_validate(said).first_day(day).isoformat()]


def environment(recorded: TrainingRecord, code: Path, state: Path) -> dict[str, str]:
    """The caller's, without what points at live state."""
    return {
        **{name: value for name, value in os.environ.items() if not _ELSEWHERE.fullmatch(name)},
        "MLOPS_PROJECT": str(code),
        "MLOPS_HOME": str(state),
        "MLOPS_DATA_ROOT": str(ensure_folder(state / "project")),
        "MLOPS_PINNED_NOW": recorded.checked_at,
        "MLOPS_ENGINE": _engine(recorded),
        "DAGSTER_HOME": str(configure_dagster(ensure_folder(state / "dagster"))),
        # A checkout holds the framework too, and so its code of that day.
        "PYTHONPATH": str(code if project() == FRAMEWORK_ROOT else FRAMEWORK_ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _engine(recorded: TrainingRecord) -> str:
    """What made the features; of Spark and Postgres those of today, whose secrets no record has.

    So it is of what was trained on Spark: of a table, whose features no engine makes, no less.
    """
    today = os.environ.get("MLOPS_ENGINE", "")
    trained = recorded.settings.get("training", {}).get("spark_workers") is not None
    anew = asked_anew(recorded.engine, today) or (trained and is_spark(today))
    return today if anew else recorded.engine


def _new_record(model: str, state: Path) -> tuple[TrainingRecord, np.ndarray | None]:
    tracking = MLflowTracking(
        tracking_uri=f"sqlite:///{state / 'mlflow.db'}", artifacts=str(state / "mlflow")
    )
    version = find_version(model, "1", tracking)
    return read_record(version, tracking), read_scores(version, tracking)
