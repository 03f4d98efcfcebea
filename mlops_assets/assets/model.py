"""The trained model and its evaluation."""

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from mlops_assets.assets.declared import asset_of
from mlops_assets.config import ModelSettings
from mlops_assets.failures import RETRIES, reported
from mlops_assets.metadata import link, pictures, stated
from mlops_assets.ml.documented import TracedFile, TracedRows
from mlops_assets.ml.inference.trusted_types import own_types
from mlops_assets.records.evaluation import Evaluation, EvaluationFacts, ModelVersion
from resources.champion.ledger import PromotionLedger
from resources.dagster.alike import asset
from resources.datasets.versions import DvcDatasets
from resources.engine import FeatureEngine
from resources.tracking.run import MLflowRun
from resources.tracking.tracking import MLflowTracking

if TYPE_CHECKING:
    from mlops_assets.ml.training.many_rows.growing import Grow


def build_model_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`features` -> `trained_model` -> `evaluation_report` of one model."""
    return [_trained_model(settings), _evaluation_report(settings)]


def _trained_model(settings: ModelSettings) -> dg.AssetsDefinition:
    @asset(
        **asset_of(settings, "trained_model", features="features"),
        kinds={"scikitlearn", "mlflow"},
        code_version=f"{settings.training.digest()}-{settings.processing.digest()}",
        retry_policy=RETRIES,
        description="The estimator fitted on the training rows, as a version in the registry.",
    )
    def trained_model(
        context: dg.AssetExecutionContext,
        features: TracedFile,
        tracking: MLflowTracking,
        engine: FeatureEngine,
    ) -> dg.MaterializeResult[ModelVersion]:
        from resources.champion.described import name_run

        tags = {**tracking.run_tags(context), "dvc/md5": features.record.raw.md5}
        with reported(), tracking.run(settings.name, tags) as run:
            version, found = train(features, settings, run, engine.growing(settings))
            name_run(run, version, tracking, datetime.now(UTC))
            links = {n: link(at) for n, at in tracking.links(version).items()}
        known = {"model_uri": version.uri, "version": version.version, "run_id": version.run_id}
        return dg.MaterializeResult(value=version, metadata={**known, **links, **found})

    return trained_model


def _evaluation_report(settings: ModelSettings) -> dg.AssetsDefinition:
    @asset(
        **asset_of(settings, "evaluation_report", features="features", model="trained_model"),
        kinds={"scikitlearn", "mlflow"},
        code_version=f"3-{settings.evaluation.digest()}-{settings.card.digest()}",
        retry_policy=RETRIES,
        description="Metrics and plots of the registered version on the held-out rows, its losses "
        "beside the champion's, whether it may be deployed, and its model card.",
    )
    def evaluation_report(
        features: TracedFile,
        model: ModelVersion,
        tracking: MLflowTracking,
        ledger: PromotionLedger,
        datasets: DvcDatasets,
    ) -> dg.MaterializeResult[Evaluation]:
        from mlops_assets.ml.training.fit import split
        from mlops_assets.model_versions.card import log_card
        from mlops_assets.model_versions.fetched import fetched
        from mlops_assets.model_versions.gate import Against, compared_metrics, facts, judge
        from mlops_assets.model_versions.pictures import pictured
        from resources.champion.described import describe

        with reported(), fetched(model, tracking, settings) as candidate:
            parts = split(features.rows, settings)
            held_out = candidate.scored(parts.test, settings)
            against = Against(tracking, ledger, datasets, features.record)
            report = judge(candidate, held_out, parts, settings, against)
            figures, plots = pictured(held_out, parts, model, settings, tracking)
            run = tracking.run_of(model)
            run.log_metrics({**report.metrics, **compared_metrics(report)})
            run.log_plots(plots)
            card = log_card(report, parts, settings, tracking, features.record)
            found = EvaluationFacts.of(report, card)
            describe(report, settings, tracking, ledger)
            links = {n: link(at) for n, at in tracking.links(model).items()}
        metadata = {**stated(found), **facts(report), **links, **figures, **pictures(plots)}
        return dg.MaterializeResult(value=report, metadata=metadata)

    return evaluation_report


def train(
    features: TracedFile | TracedRows,
    settings: ModelSettings,
    run: MLflowRun,
    grow: "Grow",
) -> tuple[ModelVersion, dict[str, Any]]:
    """Choose, tune, fit and register a version in the open run, with what its repetition needs.

    `grow` as of `ml.training.train.train_pipeline`.

    Returns:
        The version, and what the training found, as metadata.
    """
    from mlops_assets.ml.frames import select_features
    from mlops_assets.ml.inference.scoring import Scored
    from mlops_assets.ml.training.early_stopping import rounds_of
    from mlops_assets.ml.training.fit import split
    from mlops_assets.ml.training.many_rows.sampling import sampled_rows
    from mlops_assets.ml.training.train import train_pipeline
    from mlops_assets.model_versions.choice import choice_metadata, log_choice
    from mlops_assets.model_versions.provenance import choose_inference, record_training
    from mlops_assets.model_versions.tuning import trial_log, tuning_metadata

    fitted_on, test = split(features.rows, settings)
    log = partial(log_choice, run=run), trial_log(settings, run)
    model, trained, choice, search = train_pipeline(fitted_on, settings, *log, grow)
    held_out = Scored.of(model, test, settings)
    inference, files = choose_inference(held_out, settings, run)
    training, params = trained.training, trained.training.plain_params
    rounds = {"rounds": rounds_of(model)} if settings.training.early_stopping else {}
    sample = sampled_rows(fitted_on, settings)
    known = {**rounds, **({"fitted_rows": sample.drawn, "sample": sample.said} if sample else {})}
    known |= {"external_memory": True} if training.external_memory else {}
    known |= {"spark_workers": training.spark_workers} if training.spark_workers else {}
    run.log_params({"estimator": training.estimator, "seed": training.seed, **params, **known})
    name, target, digest = settings.name, settings.target.name, features.record.raw.md5
    run.log_dataset(fitted_on, name=name, digest=digest, target=target)
    example = select_features(fitted_on.head(), settings.feature_dtypes)
    own = own_types(settings.training)
    version = run.log_model(model, registered_name=name, example=example, beside=files, own=own)
    record_training(features.record, settings, params, held_out.scores, run, choice)
    told = {"train_rows": len(fitted_on), "inference": inference.spelled, **known}
    return version, {**told, **tuning_metadata(search), **choice_metadata(choice)}
