"""In any world a model is trained and served, or refused in one sentence; nothing in between."""

import tempfile
import warnings
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from hypothesis import event, given
from pydantic import ValidationError

from mlops_assets.config import ModelSettings
from tests.graph.pipeline_runs import STAGES, checks, materialize, materialized
from tests.loans import fake_resources
from tests.worlds.effort import worlds
from tests.worlds.tables import World, tables
from tests.worlds.zones import process_zone


@worlds(25)
@given(tables())
def test_a_strangers_table_is_served_or_refused_in_one_sentence(world: World) -> None:
    with tempfile.TemporaryDirectory() as folder, process_zone(world.zone):
        try:
            settings = ModelSettings.model_validate(world.write(Path(folder, "source")))
        except ValidationError as err:
            event("refused at load")
            assert "share the names" in str(err) or "reserved" in str(err), err
            return
        resources = fake_resources(Path(folder, "state"))
        with dg.DagsterInstance.ephemeral() as instance:
            result = materialize(settings, resources, instance)
            failures = [e.step_failure_data for e in result.filter_events(lambda e: e.is_step_failure)]
        failed = {name for name, passed in checks(result).items() if not passed}
        assert failed <= {"model_passes_the_gate", "contract_holds"}, failed
        if not failures and not failed:
            event("served")
            assert materialized(result) == STAGES
            answered_exactly(world, settings, resources)
        for failure in failures:
            said = failure.user_failure_data
            if said is None and failure.error and "DagsterAssetCheckFailedError" in str(failure.error):
                event(f"check {failed}")
                continue
            assert said is not None and said.description, failure.error.to_string()
            event(said.description[:110])
            assert said.description.count("\n") == 0, said.description


def answered_exactly(world: World, settings: ModelSettings, resources: dict[str, Any]) -> None:
    newest = world.frame.sort_values(world.timestamp, kind="stable").groupby(world.entity).tail(1)
    entity = newest[world.entity].iloc[-1]
    (answer,) = resources["deployment"].predict(settings.name, [entity])
    assert answer[world.entity] == entity
    assert type(answer[world.entity]) is type(entity)
