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

DEPLOYMENT_SETTINGS = "deployment"
"""Metadata of `deployed_endpoint`'s definition: its block of the YAML, for the command line."""


def asset_key(model: str, stage: Stage) -> dg.AssetKey:
    """Key of one stage of a model, e.g. `customers/trained_model`."""
    return dg.AssetKey([model, stage])
