"""`resources.dagster.alike`: a copy is what Dagster would have made of the same function."""

from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value

from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.components.templates import TemplatedSettings
from mlops_assets.config import ModelSettings
from mlops_assets.definitions import build_resources
from resources.dagster import alike
from tests.support.servers import ROOT
from tests.support.tables.yaml_faults import SOUND

FILES = sorted(ROOT.glob("mlops_assets/defs/*/defs.yaml"))
PLAIN = yaml.safe_load(SOUND)["attributes"]
MODELS = {
    **{file.parent.name: yaml.safe_load(file.read_text())["attributes"] for file in FILES},
    "loans": PLAIN | {"owners": ["team:credit"], "schedule": {"train": "0 0 * * 0"}},
    "of_no_entity": {key: value for key, value in PLAIN.items() if key != "entity"},
    # Names that begin as a function's parameters do, and come before or after them in order.
    **dict.fromkeys(("raw", "a", "zz", "features", "result"), PLAIN),
}


def settings_of(name: str) -> ModelSettings:
    return TemplatedSettings.model_validate(MODELS[name] | {"name": name})


def loaded(models: dg.Definitions) -> dg.RepositoryDefinition:
    """With the resources that they ask for."""
    resources = dg.Definitions(resources=build_resources(Path("state")))
    return dg.Definitions.merge(models, resources).get_repository_def()


def built(name: str) -> dg.Definitions:
    place = dg.MetadataValue.path(f"defs/{name}/defs.yaml")
    return build_model_defs(settings_of(name), {"place": place})


@pytest.fixture(params=MODELS)
def pair(request: pytest.FixtureRequest) -> tuple[dg.Definitions, dg.Definitions]:
    """A model's definitions: copied of those of all others, and made by Dagster alone."""
    alike._FIRST.clear()
    others = [built(other) for other in MODELS if other != request.param]
    loaded(others[0])  # used, as a first one is
    known = len(alike._FIRST)
    copied = built(request.param)
    assert len(alike._FIRST) == known, "what is new here was no copy"
    alike._FIRST.clear()
    return copied, built(request.param)


def found_in(one: Any, within: tuple[int, ...] = ()) -> Any:
    """All that an object holds; of a function its code, and of ours what it is bound to."""
    if id(one) in within:
        return "itself"
    within = (*within, id(one))
    if isinstance(one, FunctionType):
        bound = one.__closure__ if one.__module__.startswith(("mlops_assets", "jobs")) else ()
        return [one.__code__, *(found_in(cell.cell_contents, within) for cell in bound or ())]
    if isinstance(one, Mapping):
        return {str(key): found_in(value, within) for key, value in one.items()}
    if isinstance(one, (set, frozenset)):
        return sorted(map(str, one))
    if isinstance(one, (list, tuple)):
        parts = tuple.__iter__(one) if isinstance(one, tuple) else one  # as records refuse
        return [type(one).__name__, *(found_in(part, within) for part in parts)]
    if hasattr(one, "__dict__") and not isinstance(one, type):
        return [type(one).__name__, found_in(vars(one), within)]
    return one


def test_a_copy_holds_what_dagster_would_have_found(
    pair: tuple[dg.Definitions, dg.Definitions],
) -> None:
    parts = [[*(one.assets or ()), *(one.asset_checks or ())] for one in pair]
    assert len(parts[0]) == len(parts[1]) > 19
    for copied, made in zip(*parts, strict=True):
        assert found_in(copied) == found_in(made), made


@pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`")
def test_the_interface_is_told_the_same_of_it(
    pair: tuple[dg.Definitions, dg.Definitions],
) -> None:
    """Of each asset, check, job, op and its configuration, sensor and schedule."""
    copied, made = (serialize_value(RepositorySnap.from_def(loaded(one))) for one in pair)
    assert copied == made


def test_what_a_copy_cannot_be_told_is_refused() -> None:
    with pytest.raises(TypeError, match=r"io_manager_key.*use dagster\.asset"):
        alike.asset(key=dg.AssetKey(["loans", "raw_data"]), io_manager_key="other")
