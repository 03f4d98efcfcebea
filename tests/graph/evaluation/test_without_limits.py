"""Without limits a version is held against the prior: a coin flip does not go live."""

from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.config import ModelSettings
from tests.support.runs.pipeline_runs import materialize, materialized, metadata


@pytest.mark.parametrize("known", ["champion", "nothing"])
def test_without_limits_a_coin_flip_is_refused(
    known: str,
    loans: dict[str, Any],
    loans_csv: Path,
    resources: dict[str, Any],
    instance: dg.DagsterInstance,
) -> None:
    if known == "champion":
        assert materialize(ModelSettings.model_validate(loans), resources, instance).success
    frame = pd.read_csv(loans_csv)
    frame["label"] = np.random.default_rng(5).integers(0, 2, len(frame))
    frame.to_csv(loans_csv, index=False)
    del loans["evaluation"]["gate"]
    settings = ModelSettings.model_validate(loans)

    result = materialize(settings, resources, instance)

    shown = metadata(result, "loans", "evaluation_report")
    assert "deployed_endpoint" not in materialized(result)
    assert not shown["promoted"]
    assert "nothing shows that it knows more than the prior" in shown["reasons"]
    assert shown["prior_loss"] == pytest.approx(0.69, abs=0.02)


def test_without_limits_a_model_that_knows_something_goes_live(
    loans: dict[str, Any], resources: dict[str, Any], instance: dg.DagsterInstance
) -> None:
    del loans["evaluation"]["gate"]
    settings = ModelSettings.model_validate(loans)
    assert materialize(settings, resources, instance).success
    assert resources["deployment"].status("loans").model_version == 1
