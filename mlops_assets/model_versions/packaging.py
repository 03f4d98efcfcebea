"""What an endpoint gets of a version, what must hold of it before, and the move to it."""

import hashlib

from mlops_assets.config import ModelSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.home import project
from mlops_assets.ml.evaluation.metrics import breaches
from mlops_assets.model_versions.fetched import FetchedVersion
from mlops_assets.model_versions.provenance import LOCK_FILE
from mlops_assets.records.evaluation import Evaluation, ModelVersion
from mlops_assets.records.files import CARD_FILE, MODEL_FILE, ONNX_FILE, PROFILE_FILE
from mlops_assets.records.promotion import Move
from mlops_assets.records.serving import Servable
from resources.tracking.tracking import MLflowTracking


def documented(servable: Servable, one: FetchedVersion, tracking: MLflowTracking) -> Servable:
    """Write the documents of a version beside its file, and name them with their checksums.

    A document that nobody made is not among them.
    """
    run = tracking.run_of(one.version)
    texts = {name: run.read_text(name) for name in (CARD_FILE, PROFILE_FILE)}
    contents = {name: text.encode() for name, text in texts.items() if text is not None}
    lock = project() / LOCK_FILE  # of the environment that the version is checked in now
    if lock.exists():
        contents[LOCK_FILE] = lock.read_bytes()
    for name, content in contents.items():
        one.file.with_name(name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return servable.model_copy(update={"documents": digests})


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
