"""The deployed endpoint: the version that passed the gate, live and answering as it did offline."""

import hashlib
import tempfile
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.failures import RETRIES, reported
from mlops_assets.keys import DEPLOYMENT_SETTINGS, asset_key
from mlops_assets.ml.evaluation.metrics import breaches
from mlops_assets.ml.export.parity import read_inference
from mlops_assets.ml.features.build import TIMESTAMP
from mlops_assets.ml.inference.model_files import load_estimator
from mlops_assets.ml.inference.scoring import class_names, score, select_features
from mlops_assets.model_versions.documents import documented
from mlops_assets.records.data import FeatureView
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.promotion import Move
from mlops_assets.records.serving import Endpoint, OnlineFeatures, RecordedRequest, Servable
from mlops_assets.serving.online.choice import choose_lookup
from mlops_assets.serving.version.model import MODEL_FILE, ONNX_FILE
from resources.champion.aliases import champion_of, promote
from resources.champion.ledger import PromotionLedger
from resources.champion.rollbacks import require_not_given_up
from resources.dagster.cancellation import Cancellation
from resources.endpoints.local import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.tracking.tracking import MLflowTracking

RECORDED_REQUESTS = 20
"""Rows that the live endpoint must answer as the model did offline."""
COMPARED = 100
"""Entities of each kind of which a direct lookup must find what Feast finds."""


def build_deployment_assets(settings: ModelSettings) -> list[dg.AssetsDefinition]:
    """`features`, `trained_model`, `evaluation_report` -> `deployed_endpoint` of one model."""

    @dg.asset(
        key=asset_key(settings.name, "deployed_endpoint"),
        ins={
            "rows": dg.AssetIn(asset_key(settings.name, "features")),
            "model": dg.AssetIn(asset_key(settings.name, "trained_model")),
            "evaluation": dg.AssetIn(asset_key(settings.name, "evaluation_report")),
        },
        deps=[asset_key(settings.name, "reference_profile")],  # what is live can be watched
        group_name=settings.name,
        owners=list(settings.owners),
        kinds={"bentoml"} if settings.deployment.target == "local" else {"bentoml", "kubernetes"},
        code_version=settings.deployment.digest(),
        retry_policy=RETRIES,
        metadata={DEPLOYMENT_SETTINGS: settings.deployment.model_dump(mode="json")},
        description="The evaluated version, live where `deployment.target` says, beyond the run.",
    )
    def deployed_endpoint(
        context: dg.AssetExecutionContext,
        rows: pd.DataFrame,
        model: ModelVersion,
        evaluation: Evaluation,
        tracking: MLflowTracking,
        ledger: PromotionLedger,
        feature_store: FeastFeatureStore,
        deployment: EndpointDeployer,
    ) -> dg.MaterializeResult[Endpoint]:
        with reported(), tempfile.TemporaryDirectory() as folder:
            head, move = ledger.head(settings.name), gate_move(evaluation, context.run.run_id)
            require_not_given_up(move, ledger.history(settings.name), tracking)
            champion = champion_of(settings.name, tracking, ledger)
            require_passed(evaluation, model, champion, settings)
            file = tracking.download_model(model, Path(folder))
            servable, recorded = package(file, model, rows, settings)
            require_evaluated(servable, evaluation)
            servable = documented(servable, model, file.parent, tracking)
            online = online_features(rows, settings, feature_store)
            wanted = Cancellation(context.instance, context.run.run_id).require_not_asked
            with promote(
                move, head, tracking=tracking, ledger=ledger, require_wanted=wanted
            ) as confirm:
                endpoint = deployment.deploy(
                    servable, file, recorded, online, settings.deployment, confirm
                )
        return dg.MaterializeResult(value=endpoint, metadata=describe(endpoint, online))

    return [deployed_endpoint]


def describe(endpoint: Endpoint, online: OnlineFeatures) -> dict[str, Any]:
    """A live endpoint as metadata: what it serves, how it reads features, and where."""
    return {
        "version": endpoint.model_version,
        "generation": endpoint.generation,
        "online_lookup": f"{online.lookup}: {online.lookup_reason}",
        "url": dg.MetadataValue.url(endpoint.url),
    }


def gate_move(evaluation: Evaluation, run_id: str) -> Move:
    """The move to a version that passed the gate, for the ledger."""
    return Move(
        model=evaluation.model.name,
        to_version=evaluation.model.version,
        who=run_id,
        why="gate",
        evaluation=evaluation.model_dump(mode="json"),
    )


def require_passed(
    evaluation: Evaluation,
    model: ModelVersion,
    champion: ModelVersion | None,
    settings: ModelSettings,
) -> None:
    """Refuse a version that was not evaluated against the present champion, or did not pass.

    The gate's blocking check stops a run; this also stops a deployment launched alone, and one
    whose limits became stricter since.

    Raises:
        DeploymentError: With the version or the broken rules.
    """
    again = f"run `mlops train {settings.name}`, which evaluates again"
    if evaluation.model != model:
        raise DeploymentError(
            f"the evaluation is of {evaluation.model.uri}, not of {model.uri}; {again}"
        )
    broken = evaluation.decision.reasons or breaches(evaluation.metrics, settings.evaluation.gate)
    if broken or not evaluation.decision.promoted:
        raise DeploymentError(f"{model.uri} did not pass the gate: {'; '.join(broken)}")
    if champion not in (evaluation.champion, model):
        now = champion.uri if champion else "none"
        raise DeploymentError(f"the champion is {now} since {model.uri} was evaluated; {again}")


def require_evaluated(servable: Servable, evaluation: Evaluation) -> None:
    """Refuse files that are not those that the gate saw, byte for byte.

    Between the two stands the registry, and with `train` and `deploy` a machine and days.

    Raises:
        DeploymentError: With the file and both checksums.
    """
    uri = evaluation.model.uri
    if not evaluation.files:
        raise DeploymentError(
            f"{uri} was evaluated by a release that took no checksums, so nobody knows whether its "
            f"files are those; run `mlops train {servable.model_name}`, which evaluates again"
        )
    served = {MODEL_FILE: servable.sha256}
    if servable.inference.onnx_sha256 is not None:
        served[ONNX_FILE] = servable.inference.onnx_sha256
    for name in sorted({*served, *evaluation.files}):
        seen, now = evaluation.files.get(name, "none"), served.get(name, "none")
        if seen != now:
            raise DeploymentError(
                f"{name} of {uri} has sha256 {now}, the gate saw {seen}: it was exchanged in the "
                "registry since; train a new version"
            )


def package(
    file: Path, model: ModelVersion, rows: pd.DataFrame, settings: ModelSettings
) -> tuple[Servable, list[RecordedRequest]]:
    """Describe the model file for a worker, and record how it answers the newest rows."""
    estimator = load_estimator(file.read_bytes())
    newest = select_features(rows.tail(RECORDED_REQUESTS), settings.feature_dtypes)
    scores = score(estimator, newest, settings.target.task)
    features = newest.astype(object).where(newest.notna(), None).to_dict("records")
    recorded = [
        RecordedRequest(features=values, scores=tuple(map(float, answer)))
        for values, answer in zip(features, scores, strict=True)
    ]
    servable = Servable(
        model_name=settings.name,
        model_version=model.version,
        task=settings.target.task,
        classes=class_names(estimator, settings.target.task),
        entity=settings.entity,
        features=settings.feature_dtypes,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        inference=read_inference(file),
    )
    return servable, recorded


def online_features(
    rows: pd.DataFrame, settings: ModelSettings, feature_store: FeastFeatureStore
) -> OnlineFeatures:
    """How workers read features, compared once with Feast, and what they measure age against."""
    view = FeatureView.of(settings)
    newest = rows[TIMESTAMP].max().to_pydatetime()
    as_of = newest if settings.features.clock == "data" else None
    online = OnlineFeatures(store=feature_store.serving_config(view), view=view, as_of=as_of)
    return choose_lookup(online, entities_to_compare(rows, view))


def entities_to_compare(rows: pd.DataFrame, view: FeatureView) -> list[int | str]:
    """The newest entities, the newest with a feature that is missing, and some of all times."""
    missing = rows[rows[list(view.features)].isna().any(axis=1)]
    parts = [rows.tail(COMPARED), missing.tail(COMPARED), rows.iloc[:: len(rows) // COMPARED + 1]]
    return pd.concat(parts)[view.entity.name].drop_duplicates().tolist()
