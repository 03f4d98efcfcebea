"""A code location of one small model on real resources, for tests that start a real Dagster.

`SMALL_PROJECT` names the YAML file of its settings; state is where `MLOPS_HOME` says.
"""

import os
from pathlib import Path

import dagster as dg
import yaml

from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.config import ModelSettings
from mlops_assets.definitions import build_resources
from mlops_assets.home import home


@dg.definitions
def defs() -> dg.Definitions:
    text = Path(os.environ["SMALL_PROJECT"]).read_text(encoding="utf-8")
    settings = ModelSettings.model_validate(yaml.safe_load(text))
    return dg.Definitions.merge(
        build_model_defs(settings),
        dg.Definitions(resources=build_resources(home()), executor=dg.in_process_executor),
    )
