"""A trained model -> its metrics on the held-out rows and the gate's verdict.

As `evaluation_report` has it, but for what only a stored version has: its size, its latency as it
is served, and the champion of a registry, in whose place any pipeline can be given.
"""

from dataclasses import dataclass
from typing import NamedTuple

from mlops_assets.errors import ConfigError
from mlops_assets.ml.estimators import Estimator
from mlops_assets.ml.evaluation.champion import compare_models
from mlops_assets.ml.evaluation.verdict import verdict
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.parts.blocks import Block, with_evaluation
from mlops_assets.parts.model_trainer import TrainedModel
from mlops_assets.records.evaluation import Baseline, Comparison, GateDecision


class EvaluatedModel(NamedTuple):
    """What a model is worth, and whether the gate would let it pass."""

    metrics: dict[str, float]
    decision: GateDecision
    """`promoted`, and a sentence for each rule that it breaks."""
    baseline: Baseline | None
    """Beside the prior, where the gate has no limits."""
    comparison: Comparison | None
    """Beside the champion, if one was given."""
    not_measured: tuple[str, ...]
    """Bounds of the gate that only a stored version can be held against."""


@dataclass(frozen=True)
class ModelEvaluator:
    """Measure a model on the rows held out of its training, and apply the gate."""

    evaluation: Block
    """The YAML's block."""

    def run(self, trained: TrainedModel, champion: Estimator | None = None) -> EvaluatedModel:
        """Evaluate a model, beside another one on the same rows if it is given.

        Args:
            trained: Of `ModelTrainer`.
            champion: A fitted pipeline that is asked for the features that it knows by name.

        Raises:
            ConfigError: The block has faults, or does not fit the model.
            EvaluationError: The held-out rows are too few, or of one class.
            NotComparableError: The champion cannot score them.
        """
        if not isinstance(trained, TrainedModel):
            said = f"trained: a {type(trained).__name__}; pass what `ModelTrainer.run` returned"
            raise ConfigError(said)
        settings, not_measured = with_evaluation(trained.training.settings, self.evaluation)
        held_out = Scored.of(trained.pipeline, trained.rows.test, settings)
        asked = champion is not None and settings.evaluation.gate.against_champion != "off"
        comparison = (
            compare_models(champion, held_out, trained.rows.test, settings)
            if champion is not None and asked
            else None
        )
        found = verdict(held_out, trained.rows, settings, comparison)
        return EvaluatedModel(
            found.metrics, found.decision, found.baseline, comparison, not_measured
        )
