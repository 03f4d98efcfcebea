"""Stores of ours that are told of a bucket: values of assets, and files of MLflow."""

from pathlib import Path
from typing import cast

import dagster as dg
import pandas as pd

from resources.dagster.io import ParquetStorage
from resources.tracking.tracking import MLflowTracking


def tracking(folder: Path, address: str) -> MLflowTracking:
    return MLflowTracking(
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}", artifacts=f"{address}/mlflow"
    )


def storage(folder: Path, address: str) -> ParquetStorage:
    return ParquetStorage(root=str(folder / "assets"), bucket=f"{address}/assets")


def write(store: ParquetStorage, *amounts: int) -> None:
    with dg.build_output_context(asset_key=dg.AssetKey(["shop", "rows"])) as context:
        store.handle_output(context, pd.DataFrame({"amount": amounts}))


def read(store: ParquetStorage) -> list[int]:
    kind = dg.DagsterType(lambda _context, _value: True, "any", typing_type=pd.DataFrame)
    key = dg.AssetKey(["shop", "rows"])
    with dg.build_input_context(asset_key=key, dagster_type=kind) as context:
        return cast("pd.DataFrame", store.load_input(context))["amount"].tolist()
