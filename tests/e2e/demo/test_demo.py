"""The replay of `make demo`, a few months of one model: real endpoint, log, reports and policy."""

import re
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from demo.page import write_page
from demo.replay import replay
from demo.system import System, Tools
from demo.worlds import Customers
from mlops_assets.cli.main import use_dagster_home
from mlops_assets.definitions import build_resources
from mlops_assets.keys import asset_key
from mlops_assets.ml.monitoring.prediction_log import FEATURE
from mlops_assets.monitoring.answers import judged_answers, learnt_until
from mlops_assets.records.monitoring import PerformanceReport
from mlops_assets.serving.version.model import load_servable
from tests.support.servers import free_port, listens

pytestmark = [pytest.mark.e2e, pytest.mark.thorough, pytest.mark.timeout(600)]

ROWS = 300


class SomeMonths(Customers):
    """Without December, in which nothing happens but time."""

    def months(self) -> list[datetime]:
        return [month for month in super().months() if month.month != 12]


def test_a_few_months_of_customers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    use_dagster_home(tmp_path)
    port = free_port()
    world, resources = SomeMonths(tmp_path, port), build_resources(tmp_path)

    story = replay(world, resources, ROWS, months=2)

    october, november, january = story.months
    assert [month.acknowledged for month in story.months] == [ROWS, ROWS, 0]
    assert story.logged == story.acknowledged == 2 * ROWS
    assert not listens(port)
    assert (october.labelled, november.labelled) == (ROWS, 0)
    assert november.live.drift.rows == ROWS
    assert november.decision.rule == "calm"
    assert january.decision.rule == "performance"
    assert january.decision.outcome == "promoted"
    text = write_page([story], tmp_path).read_text(encoding="utf-8")
    assert text.count("idle (calm)") == 1
    assert len(re.findall(r"no labels yet", text)) == 2
    assert "data:image/png;base64," in text
    assert "BacktestError: customers has no labelled row from 1997-" in story.backtest

    february = datetime(1998, 2, 1, tzinfo=UTC)
    assert_the_new_version_is_judged_by_what_the_first_was_asked(world, resources, february)


def assert_the_new_version_is_judged_by_what_the_first_was_asked(
    world: SomeMonths, resources: dict[str, object], now: datetime
) -> None:
    """Nobody has asked version 2; when November is labelled, it is judged by November's rows."""
    world.write(now)
    with (
        dg.DagsterInstance.get() as instance,
        dg.build_resources({role: resources[role] for role in Tools._fields}, instance) as built,
    ):
        tools = Tools(*(getattr(built, role) for role in Tools._fields))
        system = System(world.settings(now), resources, tools, instance, now)
        system.watch()
        report = system.definitions.load_asset_value(
            asset_key(world.name, "performance_report"),
            python_type=PerformanceReport,
            instance=instance,
        )
        history = tools.ledger.history(world.name)
        log = tools.predictions.read(world.name, world.first, now)
        judged = judged_answers(log, history, system.settings, tools.tracking)

    (month,) = [window for window in report.windows if window.labelled_rows]
    assert (month.model_version, month.rows, month.labelled_rows) == (2, ROWS, ROWS)
    until = learnt_until(history)
    assert until is not None
    asked = log[log["features_as_of"] > until]
    assert set(asked["model_version"]) == {1}
    assert judged["request_id"].tolist() == asked["request_id"].tolist()
    # What the server would have answered: the same file in ONNX, on the same logged features.
    features = {f"{FEATURE}{name}": name for name in system.settings.features.names}
    served = load_servable(Path(tools.deployment.root, world.name, "versions", "2"))
    rows = asked[list(features)].rename(columns=features).to_dict("records")
    np.testing.assert_allclose(judged["score"], served.scores(rows)[:, 0], rtol=0, atol=1e-9)
    assert np.abs(judged["score"].to_numpy() - asked["score"].to_numpy()).max() > 0.01
