"""The model card between tracking and pure functions: gather, compare with the champion's, log."""

from mlops_assets.config import ModelSettings
from mlops_assets.ml.evaluation.model_card import markdown, model_card
from mlops_assets.ml.frames import Split
from mlops_assets.ml.training.many_rows.sampling import sampled_rows
from mlops_assets.model_versions.choice import as_fitted
from mlops_assets.model_versions.provenance import INFERENCE_TAG
from mlops_assets.records.data import Origin
from mlops_assets.records.evaluation import Evaluation, ModelCard
from mlops_assets.records.files import CARD_FILE
from resources.champion.aliases import origin
from resources.tracking.tracking import MLflowTracking

_TEXT = "model_card.md"


def log_card(
    report: Evaluation,
    rows: Split,
    settings: ModelSettings,
    tracking: MLflowTracking,
    made_of: Origin,
) -> str:
    """Log the card of an evaluated version beside it, as Markdown and as facts; the Markdown.

    The rows are made of `made_of`.
    """
    model, champion = report.model, report.champion
    settings, choice = as_fitted(model, settings, tracking)
    tags = tracking.run_of(model).tags()
    data_version, git_sha = origin(tags)
    card = model_card(
        report,
        rows,
        settings,
        data_version=data_version,
        git_sha=git_sha,
        inference=tags.get(INFERENCE_TAG, ""),
        choice=choice,
        sample=sampled_rows(rows.train, settings),
        rejected=made_of.rejected if made_of.raw.md5 == data_version else None,
    )
    other = champion if champion and champion.version != model.version else None
    before = tracking.run_of(other).read_text(CARD_FILE) if other else None  # none if adopted
    text = markdown(card, ModelCard.model_validate_json(before) if before else None)
    tracking.run_of(model).log_text(_TEXT, text)
    tracking.run_of(model).log_text(CARD_FILE, card.model_dump_json(indent=2))
    return text
