"""The trained model and its evaluation."""

import tempfile
from pathlib import Path

import dagster as dg
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import asset_key
from mlops_assets.metadata import pictures, rounded
from mlops_assets.ml.evaluation import evaluate
from mlops_assets.ml.model_files import load_estimator
from mlops_assets.ml.plots import evaluation_plots
from mlops_assets.ml.scoring import score, select_features
from mlops_assets.ml.training import fit, split
from mlops_assets.records import Evaluation, ModelVersion
from resources.tracking import MLflowTracking


def build_model_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`features` -> `trained_model` -> `evaluation_report` of one model."""
    target = settings.target.name

    @dg.asset(
        key=asset_key(settings.name, "trained_model"),
        ins={"rows": dg.AssetIn(asset_key(settings.name, "features"))},
        group_name=settings.name,
        owners=list(settings.owners),
        kinds={"scikitlearn", "mlflow"},
        code_version=f"{settings.training.digest()}-{settings.processing.digest()}",
        retry_policy=RETRIES,
        description="The estimator fitted on the training rows, as a version in the registry.",
    )
    def trained_model(
        context: dg.AssetExecutionContext, rows: pd.DataFrame, tracking: MLflowTracking
    ) -> dg.MaterializeResult[ModelVersion]:
        with reported(), tracking.run(settings.name, tags=_tags(context, rows)):
            train = split(rows, settings).train
            model = fit(train, settings)
            example = select_features(train.head(), settings.feature_dtypes)
            tracking.log_params(_params(settings))
            tracking.log_dataset(
                train, name=settings.name, digest=rows.attrs["dataset"], target=target
            )
            version = tracking.log_model(model, registered_name=settings.name, example=example)
        metadata = {"model_uri": version.uri, "version": version.version, "run_id": version.run_id}
        return dg.MaterializeResult(value=version, metadata={**metadata, "train_rows": len(train)})

    @dg.asset(
        key=asset_key(settings.name, "evaluation_report"),
        ins={
            "rows": dg.AssetIn(asset_key(settings.name, "features")),
            "model": dg.AssetIn(asset_key(settings.name, "trained_model")),
        },
        group_name=settings.name,
        owners=list(settings.owners),
        kinds={"scikitlearn", "mlflow"},
        code_version=settings.evaluation.digest(),
        retry_policy=RETRIES,
        description="Metrics and plots of the registered version on the held-out rows.",
    )
    def evaluation_report(
        rows: pd.DataFrame, model: ModelVersion, tracking: MLflowTracking
    ) -> dg.MaterializeResult[Evaluation]:
        with reported(), tempfile.TemporaryDirectory() as folder:
            train, test = split(rows, settings)
            estimator = load_estimator(tracking.download_model(model, Path(folder)).read_bytes())
            metrics = evaluate(estimator, test, settings)
            features = select_features(test, settings.feature_dtypes)
            classes = getattr(estimator, "classes_", ())
            scores = score(estimator, features, settings.target.task)
            plots = evaluation_plots(scores, test[target], settings.target.task, classes)
            tracking.log_evaluation(model, metrics, plots)
        report = Evaluation(
            model=model, metrics=metrics, train_rows=len(train), test_rows=len(test)
        )
        facts = {"model_uri": model.uri, "test_rows": len(test), **rounded(metrics)}
        return dg.MaterializeResult(value=report, metadata={**facts, **pictures(plots)})

    return [trained_model, evaluation_report]


def _params(settings: ModelSettings) -> dict[str, object]:
    training = settings.training
    return {"estimator": training.estimator, "seed": training.seed, **training.params}


def _tags(context: dg.AssetExecutionContext, rows: pd.DataFrame) -> dict[str, str]:
    return {
        "dagster/run_id": context.run.run_id,
        "dagster/asset_key": context.asset_key.to_user_string(),
        "dvc/md5": rows.attrs["dataset"],
    }
