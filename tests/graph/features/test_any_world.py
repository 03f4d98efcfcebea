"""In any world a model is trained and served, or refused in one sentence; nothing in between."""

import tempfile
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import event, given
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from tests.support.loans import fake_resources
from tests.support.runs.pipeline_runs import STAGES, checks, materialize, materialized
from tests.worlds.effort import worlds
from tests.worlds.tables import World, tables
from tests.worlds.values.zones import process_zone

VERDICTS = {"model_passes_the_gate", "contract_holds", "features_have_values"}
"""Checks that say something of the data; the others may never fail."""


@pytest.mark.usefixtures("drawn")
@pytest.mark.filterwarnings("ignore:An ill-conditioned matrix")  # Ridge, of values like 1e300
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")  # LogisticRegression, of the same
def test_a_strangers_table_is_served_or_refused_in_one_sentence() -> None:
    served: list[bool] = []

    @worlds(6, shrink=False)
    @given(tables())
    def in_a_world(world: World) -> None:
        served.append(is_served(world))

    in_a_world()
    assert sum(served) >= max(1, len(served) // 8), "who refuses everything makes no mistake"


def is_served(world: World) -> bool:
    """Whether it ends in an endpoint that answers; fails if it ends in anything but a reason."""
    with tempfile.TemporaryDirectory() as folder, process_zone(world.zone):
        try:
            settings = ModelSettings.model_validate(world.write(Path(folder, "source")))
        except ValidationError:
            event("refused at load")
            assert not world.plain, "nothing in it is reserved"
            return False
        resources = fake_resources(Path(folder, "state"))
        with dg.DagsterInstance.ephemeral() as instance:
            result = materialize(settings, resources, instance)
        failed = {name for name, passed in checks(result).items() if not passed}
        assert failed <= VERDICTS
        reasons = why_not(result)
        if reasons or failed:
            event("refused")
            assert failed or all(reasons), unforeseen(result)
            assert not any("\n" in reason for reason in reasons)
            return False
        event("served")
        assert materialized(result) == STAGES
        answered_exactly(world, settings, resources)
        return True


def why_not(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the steps that failed say; empty text where nobody foresaw it."""
    failures = [e.step_failure_data for e in result.filter_events(lambda e: e.is_step_failure)]
    foreseen = [failure.user_failure_data for failure in failures]
    return [known.description or "" if known else "" for known in foreseen]


def answered_exactly(world: World, settings: ModelSettings, resources: dict[str, Any]) -> None:
    """The id of the newest row comes back as it stands in the table; without ids, an answer."""
    deployment = resources["deployment"]
    if "entity" in world.lacks:
        (answer,) = deployment.predict_features(
            settings.name, [deployment.sample(settings.name, 1)]
        )
        assert "prediction" in answer
        return
    frame = world.frame
    if "timestamp" not in world.lacks:
        frame = frame.sort_values(world.timestamp, kind="stable")
    newest = frame.iloc[-1]
    entity = newest[world.entity]
    (answer,) = deployment.predict(settings.name, [entity])
    assert answer[world.entity] == entity
    assert type(answer[world.entity]) is type(entity)


def unforeseen(result: dg.ExecuteInProcessResult) -> str:
    """The traces of the steps that failed."""
    failures = [e.step_failure_data for e in result.filter_events(lambda e: e.is_step_failure)]
    return "\n".join(failure.error.to_string() for failure in failures if failure.error)
