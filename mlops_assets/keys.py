"""The asset keys of one model, spelled in one place."""

from typing import Literal

import dagster as dg

Stage = Literal[
    "raw_data",
    "processed_data",
    "features",
    "trained_model",
    "evaluation_report",
    "deployed_endpoint",
]


def asset_key(model: str, stage: Stage) -> dg.AssetKey:
    """Key of one stage of a model, e.g. `customers/trained_model`."""
    return dg.AssetKey([model, stage])
