"""What the endpoint of a version gets: its files, and requests with the answers to them."""

import hashlib
from pathlib import Path

import pandas as pd

from mlops_assets.config import ModelSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.ml.evaluation.metrics import breaches
from mlops_assets.ml.export.parity import read_inference
from mlops_assets.ml.frames import select_features
from mlops_assets.ml.inference.model_files import load_estimator
from mlops_assets.ml.inference.scoring import class_names, score
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.files import MODEL_FILE, ONNX_FILE
from mlops_assets.records.promotion import Move
from mlops_assets.records.serving import RecordedRequest, Servable

RECORDED_REQUESTS = 20
"""Rows that the live endpoint must answer as the model did offline."""


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
