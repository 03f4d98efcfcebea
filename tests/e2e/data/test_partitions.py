"""A model with partitions by the commands of a user: a backfill, a late file, a repetition."""

from pathlib import Path

import dagster as dg
import pytest

from tests.support.services.tiny_repository import TinyRepository

# The gate has tests/graph/data/test_partitioned_graph.py.
pytestmark = [pytest.mark.e2e, pytest.mark.thorough]

_PARTITIONS = "  timestamp: time\n  partitions: {cadence: month, start: 2024-01-01}\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> TinyRepository:
    """Data of 299 days; that of one came not yet."""
    made = TinyRepository.create(tmp_path_factory.mktemp("parts"))
    lines = made.source.read_text().splitlines(keepends=True)
    folder = made.source.parent / "daily"
    folder.mkdir()
    (folder / "a.csv").write_text("".join([*lines[:200], *lines[201:]]))
    (made.source.parent / "late.csv").write_text(lines[0] + lines[200])
    file = made.root / "mlops_assets" / "defs" / "loans" / "defs.yaml"
    text = file.read_text().replace(str(made.source), str(folder / "*.csv"))
    file.write_text(text.replace("  timestamp: time\n", _PARTITIONS))
    made.commit("Partitions")
    return made


def materialized(state: Path, asset: str) -> list[list[str | None]]:
    """The partitions of an asset, run by run, the oldest first."""
    with dg.DagsterInstance.from_config(str(state / "dagster")) as instance:
        key = dg.AssetKey(["loans", asset])
        events = instance.fetch_materializations(key, limit=1000, ascending=True).records
        runs: dict[str, list[str | None]] = {}
        for event in events:
            runs.setdefault(event.run_id, []).append(event.partition_key)
        return [*runs.values()]


def test_a_backfill_is_one_run_a_late_file_two_partitions_and_both_can_be_made_again(
    repository: TinyRepository,
) -> None:
    year = ("--partition-range", "2024-01-01...2024-10-01")
    repository.train(*year, stages=["raw_data", "processed_data"])
    for asset in ("raw_data", "processed_data"):
        (backfill,) = materialized(repository.state, asset)
        assert len({*backfill}) == len(backfill) == 10

    repository.train("--partition", "2024-02-01")
    for asset in ("raw_data", "processed_data"):
        assert materialized(repository.state, asset)[1:] == [["2024-02-01"]]

    late = repository.source.parent / "late.csv"
    late.rename(late.parent / "daily" / "b.csv")
    trained = repository.mlops("train", "loans")
    assert "passed" in trained.stdout, trained.stdout + trained.stderr
    for asset in ("raw_data", "processed_data"):
        _, _, *later = materialized(repository.state, asset)
        assert [run[:1] for run in later] == [["2024-07-01"]]
        assert [len(run) for run in later] == [2], "the other one is that of now"

    again = repository.mlops("reproduce", "loans@2")
    assert again.stdout.startswith("loans@2: equal"), again.stdout + again.stderr
