"""What a version is worth on its held-out rows, and whether the gate lets it pass.

Who the champion is, and what else is known of a version, is `model_versions.gate`.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mlops_assets.config import ModelSettings
from mlops_assets.ml.evaluation.baseline import against_prior, refusal
from mlops_assets.ml.evaluation.gate import decide
from mlops_assets.ml.evaluation.metrics import evaluate
from mlops_assets.ml.frames import Split
from mlops_assets.ml.inference.scoring import Scored
from mlops_assets.records.evaluation import Baseline, Comparison, GateDecision


class Verdict(NamedTuple):
    """Metrics, what they were held against, and what the gate made of them."""

    metrics: dict[str, float]
    baseline: Baseline | None
    """Where `gate.limits` is empty."""
    decision: GateDecision


def verdict(
    held_out: Scored,
    rows: Split,
    settings: ModelSettings,
    comparison: Comparison | None = None,
    servable: Mapping[str, float] | None = None,
    further: Sequence[str] = (),
) -> Verdict:
    """Measure what was scored, and apply `evaluation.gate`.

    Args:
        held_out: What the version says of `rows.test`.
        rows: What it was trained on, and the rows held out.
        settings: Of the model.
        comparison: With the champion, if there is another.
        servable: Further measures that the gate may bound: `size_mb`, `latency_p99_ms`.
        further: Reasons to refuse it that others found.

    Raises:
        EvaluationError: As `evaluate`.
    """
    gate = settings.evaluation.gate
    metrics = {**evaluate(held_out, rows.test[settings.target.name]), **(servable or {})}
    baseline = None if gate.limits else against_prior(held_out, rows, metrics, settings)
    unproven = [refusal(baseline)] if baseline and not baseline.passed else []
    return Verdict(metrics, baseline, decide(metrics, comparison, gate, [*unproven, *further]))
