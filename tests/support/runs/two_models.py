"""A code location of two models whose source takes a while, and two runs of each at once."""

import time
from collections.abc import Iterator

import dagster as dg
import pandas as pd

from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.definitions import build_resources
from mlops_assets.home import home
from mlops_assets.keys import asset_key
from tests.support.runs.small_dagster import loans

NAMES = ("left", "right")
SECONDS = 4


def load() -> pd.DataFrame:
    """A row that is long in coming."""
    time.sleep(SECONDS)
    return pd.DataFrame({"id": [1], "time": ["2024-01-01"], "amount": [1.5], "label": [0]})


def settings(name: str) -> ModelSettings:
    """Of one of the two."""
    attributes = loans(home() / "unused.csv", 3300 + NAMES.index(name))
    source = {"loader": "tests.support.runs.two_models.load"}
    return ModelSettings.model_validate(
        {**attributes, "name": name, "source": source, "schedule": {}}
    )


def launcher(name: str) -> dg.SensorDefinition:
    """Asks for two readings of the model's source, at its first look."""

    @dg.sensor(
        name=f"{name}_launcher",
        job_name=f"{name}_training",
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def launch() -> Iterator[dg.RunRequest]:
        for key in ("first", "second"):
            yield dg.RunRequest(run_key=key, asset_selection=[asset_key(name, "raw_data")])

    return launch


@dg.definitions
def defs() -> dg.Definitions:
    """The models without what watches them."""
    models = [build_model_defs(settings(name)) for name in NAMES]
    return dg.Definitions(
        assets=[asset for one in models for asset in one.assets or ()],
        asset_checks=[check for one in models for check in one.asset_checks or ()],
        jobs=[job for one in models for job in one.jobs or ()],
        sensors=[launcher(name) for name in NAMES],
        resources=build_resources(home()),
        executor=dg.in_process_executor,
    )
