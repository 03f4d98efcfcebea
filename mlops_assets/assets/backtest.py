"""What training again would have been worth, asked of the model's own history, by hand."""

import dagster as dg
from pydantic import Field

from mlops_assets.assets.declared import asset_of
from mlops_assets.config import ModelSettings
from mlops_assets.failures import reported
from mlops_assets.metadata import pictures, stated
from mlops_assets.ml.documented import TracedRows
from mlops_assets.records.backtest import BacktestReport
from resources.dagster.alike import asset


class BacktestConfig(dg.Config):
    """How the history is cut."""

    windows: int = Field(8, ge=3, le=24, description="At most so many, and as many fits.")
    window: str | None = Field(
        None, description="Length of each, e.g. `1 month`; default: by `training.split.test`."
    )


def build_backtest_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`features` -> `backtest` of one model."""

    @asset(
        **asset_of(settings, "backtest", features="features"),
        kinds={"scikitlearn"},
        code_version="-".join(
            [
                "2",
                *(
                    of.digest()
                    for of in (settings.training, settings.evaluation, settings.monitoring)
                ),
            ]
        ),
        description="What a stale model cost in the past, what each cadence of training and "
        "each retrain policy would have gained, and the YAML lines that follow.",
    )
    def backtest(
        config: BacktestConfig, features: TracedRows
    ) -> dg.MaterializeResult[BacktestReport]:
        from mlops_assets.ml.backtest.replay import backtest as replay
        from mlops_assets.ml.plots.backtest import backtest_plots

        with reported():
            report = replay(features.rows, settings, most=config.windows, window=config.window)
            plots = pictures(backtest_plots(report))
        facts = stated(report.with_short_losses())
        return dg.MaterializeResult(value=report, metadata={**facts, **plots})

    return [backtest]
