"""A database of MLOPS_DATABASE belongs to one project: any other is refused before it trains."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_assets.errors import ForeignDatabaseError
from mlops_assets.records.retraining import Pause
from resources.bucket import store_of_facts
from resources.dagster.storage import ChosenStorage
from resources.decisions import DecisionStore
from resources.tracking.store import MLflowStore
from resources.tracking.tracking import MLflowTracking
from tests.support.services.postgres_server import PASSWORD, QUOTED, PostgresServer

pytestmark = pytest.mark.e2e
NOW = datetime(2026, 12, 1, tzinfo=UTC)
PAUSE = Pause(until=NOW + timedelta(days=2), why="of another project", who="them")
OWNERS = "SELECT count(*) FROM mlops.owners"


class Machines:
    """Processes that were told of one database, each with a state folder and perhaps a bucket."""

    def __init__(self, folder: Path, database: str, patch: pytest.MonkeyPatch) -> None:
        patch.setenv("MLOPS_DATABASE", database)
        self.folder, self.database, self.patch = folder, database, patch

    def start(self, home: str, bucket: str = "") -> MLflowStore:
        """The store as a process that was only just started there sees it."""
        store_of_facts._own.clear()
        self.patch.setenv("MLOPS_HOME", str(self.folder / home))
        self.patch.setenv("MLOPS_BUCKET", bucket)
        artifacts = str(self.folder / home / "mlflow")
        tracking = MLflowTracking(tracking_uri="", database=self.database, artifacts=artifacts)
        return tracking.store


@pytest.fixture
def machines(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> Machines:
    return Machines(tmp_path, database, monkeypatch)


def test_a_second_state_folder_is_refused_by_one_sentence_and_changes_nothing(
    machines: Machines,
) -> None:
    machines.start("first").take()
    machines.start("first").take()
    refused = r"^postgresql://\S+ is the database of another project \(\S+/first\), and this one is"
    for use in (
        lambda store: store.take(),
        lambda store: store.connected().__enter__(),
        lambda _: ChosenStorage.from_config_value(None, {"base_dir": "unused"}),
        lambda _: DecisionStore(database=machines.database).set_pause("shop", PAUSE, NOW),
    ):
        with pytest.raises(ForeignDatabaseError, match=refused) as caught:
            use(machines.start("second"))
        said = str(caught.value)
        assert len(said.splitlines()) == 1
        assert not any(word in said for word in (PASSWORD, QUOTED))
        assert said.endswith("or, if both are one project, the same MLOPS_BUCKET or MLOPS_HOME")
    (machines.folder / "first").rename(machines.folder / "moved")
    machines.start("moved").take()


def test_machines_of_one_bucket_share_a_database_and_others_do_not(
    postgres: PostgresServer, machines: Machines
) -> None:
    shop = "s3://shop/mlops"
    machines.start("first").take()  # before there was a bucket
    machines.start("first", shop).take()
    machines.start("second", shop).take()
    machines.start("first").take()
    assert postgres.execute(OWNERS, machines.database) == [(2,)]
    for bucket in ("", "s3://other/mlops"):
        with pytest.raises(ForeignDatabaseError, match=r"\(s3://shop/mlops, \S+/first\)"):
            machines.start("third", bucket).take()


def test_a_database_of_an_earlier_release_is_of_who_trains_first_and_not_of_who_looks(
    postgres: PostgresServer, machines: Machines
) -> None:
    with machines.start("only-looks").connected() as mlflow:
        assert mlflow.MlflowClient().search_registered_models() == []
    (there,) = postgres.execute("SELECT to_regclass('mlops.owners')", machines.database)
    assert there == (None,)
    machines.start("trains").take()
    with pytest.raises(ForeignDatabaseError):
        machines.start("only-looks").take()
