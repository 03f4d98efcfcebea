import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.errors import PredictionLogFullError
from mlops_assets.ml.inference.log_lines import LogLine, parse
from mlops_assets.serving.version.prediction_log import PredictionLogWriter, backlog
from tests.support.served.served_models import AS_OF, Built, build, no_online
from tests.support.served.serving_worker import Worker, features

LINE = b'{"n":%d}\n'


def logged(worker: Worker) -> list[LogLine]:
    files = sorted((worker.folder.path / "predictions").glob("*.jsonl"))
    parsed = [parse(file.read_bytes(), str(file)) for file in files]
    assert not any(one.torn for one in parsed)
    return [line for one in parsed for line in one.lines]


def reconfigure(worker: Worker, log: LogSettings) -> None:
    manifest = worker.folder.current()
    assert manifest is not None
    worker.folder.write_again(manifest.model_copy(update={"log": log}))
    worker.holder.reconcile()


@contextmanager
def files_end_at(size: int) -> Generator[None]:
    """Let the kernel cut writes off at `size` bytes of a file, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_each_answered_row_is_logged_as_it_was_answered(worker: Worker) -> None:
    by_entity = worker.post("/predict", {"entities": [2, 99, 1, 3]}).json()
    by_features = worker.post("/predict_features", features({"spend": None, "class": "z"})).json()
    assert worker.post("/predict", {"entities": [99]}).status_code == 404

    second, first, sent = logged(worker)
    assert [second.request_id, first.request_id] == [by_entity["request_id"]] * 2
    assert [(one.row, one.entity, one.source, one.role) for one in (second, first, sent)] == [
        (0, 2, "online", "primary"), (2, 1, "online", "primary"), (0, None, "request", "primary"),
    ]  # fmt: skip
    assert first.features == {"spend": 0.5, "class": "x"}
    assert first.features_as_of == first.event_time == AS_OF.timestamp()
    assert sent.features == {"spend": None, "class": "z"}
    assert sent.features_as_of is None
    answers = [*by_entity["predictions"][::2], *by_features["predictions"]]
    assert [one.scores for one in (second, first, sent)] == [[a["prediction"]] for a in answers]
    assert {(one.model_version, one.generation) for one in (second, first, sent)} == {(1, 1)}


def test_a_line_names_the_class_that_was_answered(tmp_path: Path) -> None:
    worker, built = Worker(tmp_path / "endpoint"), build(tmp_path, task="multiclass")
    worker.serve(built)
    rows = [one.features for one in built.recorded[:5]]
    answers = worker.post("/predict_features", {"rows": rows}).json()["predictions"]
    said = [one["prediction"] for one in answers]
    assert [line.predicted for line in logged(worker)] == said
    assert len({*said}) > 1


def test_switched_off_it_writes_nothing(worker: Worker) -> None:
    reconfigure(worker, LogSettings(enabled=False))
    assert worker.post("/predict", {"entities": [1]}).status_code == 200
    assert not (worker.folder.path / "predictions").exists()


def test_a_full_disk_refuses_then_answers_again_and_never_tears(worker: Worker) -> None:
    assert worker.post("/predict", {"entities": [1]}).status_code == 200
    (file,) = (worker.folder.path / "predictions").glob("*.jsonl")

    with files_end_at(file.stat().st_size + 50):
        refused = worker.post("/predict", {"entities": [2]})
        again = worker.post("/predict", {"entities": [2]})
    assert (refused.status_code, again.status_code) == (507, 507)
    assert refused.json()["error"]["code"] == "prediction_log_full"
    assert [line.entity for line in logged(worker)] == [1]

    assert worker.post("/predict", {"entities": [2]}).status_code == 200
    assert [line.entity for line in logged(worker)] == [1, 2]


def test_degraded_it_answers_and_says_what_is_missing(worker: Worker) -> None:
    reconfigure(worker, LogSettings(on_full="degrade"))
    worker.post("/predict", {"entities": [1]})
    (file,) = (worker.folder.path / "predictions").glob("*.jsonl")

    with files_end_at(file.stat().st_size):
        assert worker.post("/predict", {"entities": [2]}).status_code == 200

    state = worker.call("GET", "/model").json()["prediction_log"]
    assert state["failures"] == 1
    assert state["error"]
    assert worker.call("GET", "/readyz").status_code == 200
    assert [line.entity for line in logged(worker)] == [1]
    worker.post("/predict", {"entities": [2]})
    assert worker.call("GET", "/model").json()["prediction_log"]["error"] is None


def test_a_killed_process_loses_nothing_that_it_was_told_is_written(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from mlops_assets.blocks.prediction_log import LogSettings
from mlops_assets.serving.version.prediction_log import PredictionLogWriter
writer = PredictionLogWriter(Path({str(tmp_path)!r}))
for number in range(500):
    writer.append(b'{{"n":%d}}\\n' % number, LogSettings())
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    (file,) = tmp_path.glob("*.jsonl")
    assert [json.loads(line)["n"] for line in file.read_text().splitlines()] == list(range(500))


def test_a_file_ends_at_its_size_and_a_name_is_never_used_twice(tmp_path: Path) -> None:
    settings = LogSettings(rotate_mb=1)
    for _ in range(2):  # the second: another process that got the same pid
        writer = PredictionLogWriter(tmp_path)
        for number in range(3):
            writer.append(LINE % number + b" " * 600_000 + b"\n", settings)
        writer.close()
    numbers = sorted(int(file.stem.rsplit("-", 1)[1]) for file in tmp_path.glob("*.jsonl"))
    assert numbers == [0, 1, 2, 3]
    assert all(f"-{os.getpid()}-" in file.name for file in tmp_path.glob("*.jsonl"))


def test_pods_with_one_pid_write_beside_each_other(tmp_path: Path) -> None:
    settings = LogSettings(rotate_mb=1)
    for _ in range(2):
        for pod in ("toy-7f-abcde", "toy-7f-vwxyz", ""):
            writer = PredictionLogWriter(tmp_path, pod)
            writer.append(LINE % 1, settings)
            writer.close()
    names = sorted(file.stem[11:] for file in tmp_path.glob("*.jsonl"))
    pid = os.getpid()
    pods = [f"toy-7f-{name}-{pid}-{n}" for name in ("abcde", "vwxyz") for n in (0, 1)]
    assert [name for name in names if name.startswith("toy")] == pods
    assert len(names) == 6


def test_only_compacted_files_make_room(tmp_path: Path) -> None:
    settings = LogSettings(max_disk_mb=1)
    old, older = tmp_path / "2024-01-02-1-0.jsonl", tmp_path / "2024-01-01-2-0.jsonl"
    for file in (old, older):
        file.write_bytes(b" " * 600_000)
    writer = PredictionLogWriter(tmp_path)
    with pytest.raises(PredictionLogFullError, match="1 MB are full"):
        writer.append(LINE % 1, settings)
    assert backlog(tmp_path) == 1_200_000

    old.with_name(f"{old.name}.done").write_text("600000")
    older.with_name(f"{older.name}.done").write_text("599999")  # it grew since it was compacted
    PredictionLogWriter(tmp_path).append(LINE % 1, settings)
    assert not old.exists()
    assert not old.with_name(f"{old.name}.done").exists()
    assert older.exists()


def test_what_batch_jobs_measured_and_the_state_stand_in_the_metrics(worker: Worker) -> None:
    folder = worker.folder.path / "metrics"
    folder.mkdir()
    drift = 'model_feature_drift{model_name="toy",version="1",feature="spend"} 0.5'
    (folder / "drift.prom").write_text(drift)
    worker.post("/predict", {"entities": [1]})
    worker.post("/predict", {"entities": [99]})

    lines = worker.call("GET", "/metrics").text.splitlines()

    assert drift in lines
    (size,) = [
        line.rpartition(" ")[2]
        for line in lines
        if line.startswith("model_prediction_log_backlog_bytes{")
    ]
    assert float(size) > 0
    served = [line for line in lines if line.startswith("model_build_info{")]
    assert 'generation="1"' in served[0]
    assert 'version="1"' in served[0]
    outcomes = {
        line.rpartition(" ")[0] for line in lines if line.startswith("model_requests_total")
    }
    assert 'model_requests_total{model_name="toy",outcome="refused"}' in outcomes


def test_the_age_of_the_online_features_is_told_where_it_is_known(
    worker: Worker, built: Built, tmp_path: Path
) -> None:
    def age() -> list[float]:
        lines = worker.call("GET", "/metrics").text.splitlines()
        start = "model_online_features_age_seconds{"
        return [float(line.rpartition(" ")[2]) for line in lines if line.startswith(start)]

    assert age() == [0]  # a replay
    registry = tmp_path / "registry.db"
    live = no_online(None).model_copy(update={"store": {"registry": {"path": str(registry)}}})
    worker.serve(built, live)
    assert age() == []
    registry.touch()
    os.utime(registry, (time.time() - 500, time.time() - 500))
    assert 500 <= age()[0] < 560
