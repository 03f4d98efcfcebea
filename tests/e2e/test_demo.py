"""The replay of `make demo`, two months of one model: real endpoint, log, reports and policy."""

import re
from pathlib import Path

import pytest

from mlops_assets.cli.main import use_dagster_home
from mlops_assets.definitions import build_resources
from mlops_assets.demo.page import write_page
from mlops_assets.demo.replay import replay
from mlops_assets.demo.worlds import Customers
from tests.e2e.servers import free_port, listens

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ROWS = 300


def test_two_months_of_customers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    use_dagster_home(tmp_path)
    port = free_port()

    story = replay(Customers(tmp_path, port), build_resources(tmp_path), ROWS, months=2)

    assert [month.acknowledged for month in story.months] == [ROWS, ROWS, 0]
    assert story.logged == story.acknowledged == 2 * ROWS
    assert not listens(port)
    labelled, waiting, _ = story.months
    assert labelled.labelled == 0
    assert waiting.live.drift.rows == ROWS
    decisions = [month.decision for month in story.months[1:]]
    assert [decision.time for decision in decisions] == [m.now for m in story.months[1:]]
    assert {decision.rule for decision in decisions} == {"calm"}
    text = write_page([story], tmp_path).read_text(encoding="utf-8")
    assert text.count("idle (calm)") == 2
    assert len(re.findall(r"no labels yet", text)) == 4
    assert "data:image/png;base64," in text
