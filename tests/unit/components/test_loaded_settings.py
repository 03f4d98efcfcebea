"""The settings of a loaded model: found in its definitions, and told to no other process."""

import dagster as dg

from mlops_assets.components.model_pipeline import build_model_defs
from mlops_assets.components.settings import carried, loaded_models
from mlops_assets.config import ModelSettings


def test_definitions_carry_the_settings_that_they_were_built_from(settings: ModelSettings) -> None:
    other = settings.model_copy(update={"name": "another"})
    definitions = dg.Definitions.merge(
        *map(build_model_defs, (settings, other)), dg.Definitions(metadata={"note": "not ours"})
    )
    assert loaded_models(definitions)["loans"] is settings
    assert list(loaded_models(definitions)) == ["another", "loans"]


def test_another_process_is_told_that_there_are_settings_and_none_of_them(
    settings: ModelSettings,
) -> None:
    (value,) = carried(settings).values()
    told = dg.serialize_value(value)
    assert "ModelSettings" in told
    assert str(settings.source.uri) not in told
