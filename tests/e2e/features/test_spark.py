"""Spark, for real: what it computes is what arrays compute, and a lost worker changes nothing.

A session costs seconds, so few worlds of `tests/unit/features/engines/test_engines.py` are tried.
"""

import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import pandas as pd
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.beyond_memory.parts import STAGES, make
from benchmarks.beyond_memory.parts import settings as shop
from mlops_assets.engines import spark
from mlops_assets.engines.spark import SparkEngine
from mlops_assets.engines.spark_trees import SparkTrees
from mlops_assets.errors import EngineError, EngineUnavailableError
from mlops_assets.ml.features.build import aggregate
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.ml.stored_rows import StoredRows
from mlops_assets.ml.training.fit import fit, split
from mlops_assets.ml.training.many_rows.growing import grown_here
from mlops_assets.records.evaluation import Evaluation
from resources.champion.ledger import PromotionLedger
from resources.engine import FeatureEngine
from tests.support.loans import fake_resources
from tests.support.runs.pipeline_runs import materialize
from tests.support.served.external_training import FEATURES, settings, write
from tests.support.servers import free_port, wait_for
from tests.support.services.spark_cluster import (
    PACKAGES,
    PYTHON,
    SparkServers,
    install_pyspark,
    spark_events,
)
from tests.support.tables.engines import (
    AGGREGATES,
    ENTITIES,
    EVENTS,
    NAMES,
    TARGETS,
    Rows,
    compare_chosen,
    compare_features,
    compare_labels,
    many_events,
)
from tests.support.tables.own_project import Project, ended
from tests.support.toy_models import event_log
from tests.worlds.effort import worlds

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),  # py4j's
]
LOCAL = "local[2]?spark.sql.shuffle.partitions=2"
SOME = {name: one for name, one in AGGREGATES.items() if "both" in name and "shop" not in name}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[SparkServers]:
    """None runs yet; PySpark can be imported here."""
    install_pyspark()
    sys.path.append(str(PACKAGES))
    before = dict(os.environ)
    made = SparkServers(tmp_path_factory.mktemp("spark"))
    yield made
    made.end()
    for child in psutil.Process().children():
        if child.name() == "java":  # of the sessions of this process
            child.terminate()
            child.wait(30)
    sys.path.remove(str(PACKAGES))
    for name in os.environ.keys() - before.keys():
        del os.environ[name]  # that this process uses Spark Connect, and nothing else


@pytest.fixture(scope="module")
def engine(servers: SparkServers) -> SparkEngine:
    return SparkEngine("local[2]", {"spark.sql.shuffle.partitions": "2"})


@worlds(3, shrink=False)
@given(rows=EVENTS, names=NAMES, entity=st.sampled_from(ENTITIES))
def test_features_are_those_of_arrays(
    engine: SparkEngine, rows: Rows, names: list[str], entity: str
) -> None:
    compare_chosen(rows, names, entity, engine)


@worlds(3, shrink=False)
@given(rows=EVENTS, target=st.sampled_from(TARGETS))
def test_labels_are_those_of_arrays(
    engine: SparkEngine, rows: Rows, target: dict[str, Any]
) -> None:
    compare_labels(rows, target, engine)


def test_none_of_events_without_a_value_to_choose_by_is_a_count_of_zero(
    engine: SparkEngine,
) -> None:
    days = ("2024-01-02T00Z", "2024-01-12T00Z")
    rows: Rows = [(1, pd.Timestamp(day), 1.0, None, None, 0) for day in days]
    interrupted = signal.getsignal(signal.SIGINT)
    compare_chosen(rows, ["count_chosen"], "int64", engine)
    assert signal.getsignal(signal.SIGINT) is interrupted  # PySpark leaves one of its own


def test_aggregates_of_many_events_are_those_of_arrays(engine: SparkEngine) -> None:
    compare_features(many_events(), SOME, "int64", engine, scale=0)


def test_a_graph_keeps_what_it_keeps_by_arrays(
    servers: SparkServers, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    make(str(tmp_path / "events"), "3000", "60", "int64")
    model, kept = shop(str(tmp_path / "events"), "int64", 4), []
    for name, url in {"arrays": "arrays", "spark": LOCAL}.items():
        state = tmp_path / name
        engine = FeatureEngine(url=url, spill=str(state / "spill"))
        result = materialize(model, fake_resources(state) | {"engine": engine}, instance, [*STAGES])
        assert result.success
        kept.append(pd.read_parquet(state / "assets" / "shop" / "features.parquet"))
    pd.testing.assert_frame_equal(*kept, rtol=1e-12)


def test_a_spark_that_is_not_there_is_one_sentence(servers: SparkServers) -> None:
    nowhere = f"spark://127.0.0.1:{free_port()}"
    with pytest.raises(
        EngineUnavailableError, match=rf"^no Spark answers at {nowhere} .*; start it"
    ):
        aggregate(many_events(), event_log(), SparkEngine(nowhere))


def test_a_failure_says_sparks_own_reason(servers: SparkServers) -> None:
    engine = SparkEngine("local[2]", {"spark.executor.memory": "1k"})
    said = r"^Spark at local\[2\] failed: .* Executor memory 1024 must be at least .*; see its log"
    with pytest.raises(EngineError, match=said):
        aggregate(many_events(), event_log(), engine)


@pytest.fixture(scope="module")
def cluster(servers: SparkServers) -> SparkServers:
    servers.start_cluster(workers=2)
    return servers


class Trained(NamedTuple):
    """The trees as they are saved, and their loss over the held-out rows."""

    booster: bytes
    loss: float


def trained(rows: StoredRows, engine: SparkEngine, workers: int | None = None) -> Trained:
    """Trees that are grown here, or by so many workers of the Spark."""
    from sklearn.metrics import log_loss

    model = settings()
    chosen = model.training.model_copy(update={"spark_workers": workers})
    model = model.model_copy(update={"training": chosen})
    parts = split(rows, model)
    fitted = fit(parts.train, model, SparkTrees(engine, workers).grow if workers else grown_here)
    scores = Scored.of(fitted, parts.test, model).scores
    booster = bytes(fitted[-1].get_booster().save_raw())
    return Trained(booster, log_loss(parts.test[model.target.name], scores))


@pytest.mark.thorough
def test_trees_of_one_worker_of_a_cluster_are_those_of_memory(
    cluster: SparkServers, tmp_path: Path
) -> None:
    rows, engine = write(tmp_path / "rows.parquet", 12_000), SparkEngine(cluster.master)
    assert trained(rows, engine, 1) == trained(rows, engine)


@pytest.mark.thorough
def test_two_workers_grow_other_trees_as_good_and_the_same_again(
    cluster: SparkServers, tmp_path: Path
) -> None:
    rows, engine = write(tmp_path / "rows.parquet", 12_000), SparkEngine(cluster.master)
    here, first, again = (trained(rows, engine, workers) for workers in (None, 2, 2))
    assert first == again
    assert first.booster != here.booster
    assert first.loss == pytest.approx(here.loss, rel=0.03)


@pytest.mark.thorough
def test_two_workers_cut_features_of_few_values_as_memory_does(
    cluster: SparkServers, tmp_path: Path
) -> None:
    frame = pd.read_parquet(write(tmp_path / "rows.parquet", 12_000).path)
    few = frame.assign(**{name: frame[name].round(1) for name in FEATURES})
    few.to_parquet(tmp_path / "few.parquet", index=False)
    rows, engine = StoredRows(tmp_path / "few.parquet"), SparkEngine(cluster.master)
    assert trained(rows, engine, 2).loss == pytest.approx(trained(rows, engine).loss, rel=1e-4)


@pytest.mark.thorough
def test_more_workers_than_cores_are_one_sentence(cluster: SparkServers, tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.parquet", 1_000)
    with pytest.raises(EngineError, match=r"^Spark at spark://.* failed: .*[Bb]arrier"):
        trained(rows, SparkEngine(cluster.master), 3)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Generator[Project]:
    made = Project(tmp_path_factory.mktemp("home"), free_port(), PYTHON)
    yield made
    made.run("mlops_assets", "stop")


@pytest.fixture(scope="module")
def survived(
    cluster: SparkServers, project: Project, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """What Spark tells of a run from data to endpoint, in which a worker of two was killed."""
    log = tmp_path_factory.mktemp("events")
    settings = "&".join(
        f"spark.{name}"
        for name in (
            "sql.shuffle.partitions=4",
            "eventLog.enabled=true",
            f"eventLog.dir=file://{log}",
            "eventLog.compress=false",
            "eventLog.rolling.enabled=false",
        )
    )
    process = project.start(
        "mlops_assets", "run", "customers", engine=f"{cluster.master}?{settings}"
    )

    def both_have_worked() -> bool:
        done = [event for event in spark_events(log) if event["Event"] == "SparkListenerTaskEnd"]
        return process.poll() is not None or len({e["Task Info"]["Executor ID"] for e in done}) == 2

    wait_for("tasks of both workers", both_have_worked, 300, every=0.05)
    cluster.kill("worker0")
    ended(process)
    return spark_events(log)


@pytest.mark.thorough  # the gate runs a graph on Spark in this process, above
def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    survived: list[dict[str, Any]], project: Project
) -> None:
    kinds = [event["Event"] for event in survived]
    lost = kinds.index("SparkListenerExecutorRemoved")
    assert "SparkListenerTaskEnd" in kinds[:lost]
    assert "SparkListenerTaskEnd" in kinds[lost:]
    assert project.evaluation().decision.promoted
    promoted = PromotionLedger(database=str(project.home / "ledger.db")).history("customers")
    assert [move.to_version for move in promoted] == [1]


@pytest.fixture(scope="module")
def back_to_arrays(
    survived: list[dict[str, Any]], project: Project
) -> tuple[Project, pd.DataFrame, Evaluation]:
    """The same project after another version by arrays; features and verdict that were Spark's."""
    features, evaluation = project.features(), project.evaluation()
    stages = ",".join(
        f"customers/{stage}" for stage in ("features", "trained_model", "evaluation_report")
    )
    command = ("dagster", "asset", "materialize", "-m", "mlops_assets.definitions", "--select")
    project.run(*command, stages)
    return project, features, evaluation


@pytest.mark.thorough
def test_the_same_yaml_goes_back_to_arrays_and_gives_the_same_rows_and_verdict(
    back_to_arrays: tuple[Project, pd.DataFrame, Evaluation],
) -> None:
    project, features, evaluation = back_to_arrays
    again, other = project.features(), project.evaluation()
    summed = ["total_spend", "avg_purchase_value", "spend_90d"]
    exact = [name for name in again.columns if name not in summed]
    pd.testing.assert_frame_equal(features[exact], again[exact], check_exact=True)
    pd.testing.assert_frame_equal(features[summed], again[summed], rtol=1e-12, atol=0)
    assert (evaluation.model.version, other.model.version) == (1, 2)
    assert other.decision == evaluation.decision
    measured = {name: other.metrics[name] for name in ("roc_auc", "log_loss", "calibration_ratio")}
    assert measured == pytest.approx({name: evaluation.metrics[name] for name in measured})


@pytest.mark.thorough
def test_a_version_of_spark_is_reproduced_by_spark(
    back_to_arrays: tuple[Project, pd.DataFrame, Evaluation], cluster: SparkServers
) -> None:
    project, *_ = back_to_arrays
    said = project.run("mlops_assets", "reproduce", "customers@1", engine=cluster.master)
    assert said.startswith("customers@1: equal")
    assert f"compared within 1e-09, since features were by {cluster.master}" in said


@pytest.mark.thorough
def test_spark_connect_gives_the_same(
    servers: SparkServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one, since a process that has used it starts no other Spark."""
    monkeypatch.setattr(spark, "PART", 7_000)  # of 20,000 events
    engine = SparkEngine(servers.start_connect())
    compare_features(many_events(), SOME, "int64", engine, scale=0)
