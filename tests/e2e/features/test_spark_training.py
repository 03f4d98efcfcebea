"""Trees that a real Spark grows for a whole run; a worker killed meanwhile, the version again."""

from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.support.served.external_training import FEATURES, write
from tests.support.servers import free_port, wait_for
from tests.support.services.spark_cluster import PYTHON, SparkServers, install_pyspark, spark_events
from tests.support.tables.own_project import Project, ended

pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(1800)]
SETTINGS = (
    *("eventLog.enabled=true", "eventLog.compress=false", "eventLog.rolling.enabled=false"),
    "executor.memory=800m",
)


@pytest.fixture
def cluster(tmp_path: Path) -> Generator[SparkServers]:
    """A master and three workers of one core: one to be lost."""
    install_pyspark()
    made = SparkServers(tmp_path)
    made.start_cluster(workers=3)
    yield made
    made.end()


@pytest.fixture
def project(tmp_path: Path) -> Generator[Project]:
    """A table of forty numbers, which two workers learn."""
    folder, port = tmp_path / "project", free_port()
    (folder / "defs" / "rows").mkdir(parents=True)
    (folder / "mlops.yaml").touch()
    write(folder / "rows.parquet", 40_000)
    attributes: dict[str, Any] = {
        "name": "rows",
        "source": {"uri": str(folder / "rows.parquet"), "format": "parquet"},
        "entity": {"name": "id"},
        "timestamp": "event_timestamp",
        "contract": {
            "columns": {
                "id": {"dtype": "int64"},
                "event_timestamp": {"dtype": "datetime"},
                **{name: {"dtype": "float64"} for name in (*FEATURES, "y")},
            }
        },
        "features": {"columns": list(FEATURES), "ttl": "31d", "clock": "data"},
        "target": {"name": "positive", "task": "binary", "column": "y"},
        "training": {
            "estimator": "xgboost.XGBClassifier",
            "params": {"n_estimators": 3000, "n_jobs": 1},
            "split": {"by": "random", "fraction": 0.3},
            "external_memory": True,
            "spark_workers": 2,
        },
        "evaluation": {"primary": "roc_auc", "gate": {"limits": {"roc_auc": {"min": 0.9}}}},
        "deployment": {"port": port},
    }
    document = {"type": "mlops_assets.components.ModelPipeline", "attributes": attributes}
    (folder / "defs" / "rows" / "defs.yaml").write_text(yaml.safe_dump(document))
    made = Project(tmp_path / "home", port, PYTHON, folder)
    yield made
    made.run("mlops_assets", "stop")


def trainings(events: list[dict[str, Any]]) -> int:
    """The jobs of XGBoost, whose tasks all run at once; Spark writes a job down as it starts."""
    stages = [one.get("Stage Infos", []) for one in events if one["Event"].endswith("JobStart")]
    return sum(any(rdd.get("Barrier") for s in of for rdd in s["RDD Info"]) for of in stages)


def of_trees(cluster: SparkServers) -> str | None:
    """A worker whose Python computes for longer than it imports."""
    for name, worker in cluster.running.items():
        for process in psutil.Process(worker.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name().startswith("python") and process.cpu_times().user > 4:
                    return name
    return None


def test_a_worker_killed_while_trees_grow_begins_them_again_and_the_version_can_be_made_again(
    cluster: SparkServers, project: Project, tmp_path: Path
) -> None:
    log = tmp_path / "events"
    log.mkdir()
    told = "&".join(f"spark.{one}" for one in (*SETTINGS, f"eventLog.dir=file://{log}"))
    engine = f"{cluster.master}?{told}"
    process = project.start("mlops_assets", "run", "rows", engine=engine)

    def grows() -> str | None:
        assert process.poll() is None, process.communicate()
        return of_trees(cluster) if trainings(spark_events(log)) else None

    cluster.kill(wait_for("trees", grows, 900, every=0.1))
    said = ended(process)
    events = spark_events(log)
    assert trainings(events) == 2
    assert "SparkListenerExecutorRemoved" in {one["Event"] for one in events}
    assert "rows: prediction=" in said
    assert "version=1" in said

    again = project.run("mlops_assets", "reproduce", "rows@1", engine=cluster.master)
    assert again.startswith("rows@1: equal"), again
