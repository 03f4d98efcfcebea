"""The prediction log: what the endpoint answered, one row per prediction."""

import dagster as dg

from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key, asset_of
from mlops_assets.records.monitoring import LogSummary
from resources.prediction_log.log import PredictionLog


def build_prediction_log_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`deployed_endpoint` -> `prediction_log` of one model."""

    @dg.asset(
        **asset_of(settings, "prediction_log"),
        deps=[asset_key(settings.name, "deployed_endpoint")],
        kinds={"parquet"},
        code_version="1",
        retry_policy=RETRIES,
        description="Every acknowledged prediction, in one Parquet file per day of event time.",
    )
    def prediction_log(predictions: PredictionLog) -> dg.MaterializeResult[LogSummary]:
        with reported():
            summary = predictions.compact(settings.name)
        return dg.MaterializeResult(value=summary, metadata=_describe(summary))

    return [prediction_log]


def _describe(summary: LogSummary) -> dict[str, int | str]:
    return {
        "rows": summary.rows,
        "torn_lines": summary.torn_lines,
        "duplicates": summary.duplicates,
        "rows_without_their_class": summary.nameless,
        "files": summary.files,
        "open_files": summary.open_files,
        "newest": summary.newest.isoformat() if summary.newest else "none",
    }
