"""How often one training fetches a version, loads it, and lets it score the held-out rows."""

from collections import Counter
from typing import Any

import dagster as dg
import pytest

from mlops_assets.config import ModelSettings
from tests.support.fakes.tracking import FakeRegistry
from tests.support.runs.pipeline_runs import STAGES, materialize

HELD_OUT = 92
"""Rows of the last three months."""


def counted(patch: pytest.MonkeyPatch, where: Any, name: str) -> list[tuple[Any, ...]]:
    """The arguments of each call from now on, which goes on to what stood there."""
    calls, whole = [], getattr(where, name)

    def call(*args: Any, **named: Any) -> Any:
        calls.append(args)
        return whole(*args, **named)

    patch.setattr(where, name, call)
    return calls


def test_each_step_fetches_and_loads_a_version_once_and_scores_the_held_out_rows_once(
    settings: ModelSettings,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sklearn.pipeline import Pipeline

    from mlops_assets.model_versions import fetched

    materialize(settings, resources, instance)
    fetches = counted(monkeypatch, FakeRegistry, "download_model")
    loads = counted(monkeypatch, fetched, "load_estimator")
    scorings = counted(monkeypatch, Pipeline, "predict_proba")

    assert materialize(settings, resources, instance, STAGES[3:]).success

    # Safe to load, evaluated, profiled, deployed, live; and the champion it is compared with.
    assert Counter(model.version for _, model, _ in fetches) == {2: 5, 1: 1}
    assert len(loads) == 5, "what is not known to be safe is only looked at"
    # Trained, evaluated, profiled; the champion; and two of the learning curve, which know less.
    assert len([rows for _, rows in scorings if len(rows) == HELD_OUT]) == 4 + 2
