"""A replay in words: one row per month, and what it comes to. Plain text, for HTML and Markdown."""

import re
from statistics import mean

from demo.figure import largest_drift
from demo.story import Month, Quality, Story

HEADER = (
    "month", "decision as it began", "reason", "version", "answers",
    "AUC (first)", "promised / observed (first)", "drifted columns",
)  # fmt: skip


def rows(story: Story) -> list[tuple[str, ...]]:
    """One per month, with the columns of `HEADER`."""
    return [
        (
            f"{month.now:%B %Y}",
            decision(month),
            reason(month),
            str(month.version),
            str(month.acknowledged or ""),
            both(month, "roc_auc"),
            both(month, "calibration_ratio"),
            drifted(story, month),
        )
        for month in story.months
    ]


def decision(month: Month) -> str:
    """What was done and by which rule."""
    if month.decision is None:
        return "first training"
    return f"{month.decision.action} ({month.decision.rule})"


def reason(month: Month) -> str:
    """Why, and what became of a training."""
    if month.decision is None:
        return "by hand, on the months before"
    text = re.sub(r"\b([0-9a-f]{8})[0-9a-f]{24}\b", r"\1", month.decision.reason)
    return f"{text}; outcome: {month.decision.outcome}" if month.decision.outcome else text


def both(month: Month, name: str) -> str:
    """A metric of the version that answered, and of the first one where it is another."""
    if month.live is None or month.first is None:
        return ""
    live, first = month.live.metrics.get(name), month.first.metrics.get(name)
    if live is None or first is None:
        return "no labels yet"
    return f"{live:.3f}" if month.version == 1 else f"{live:.3f} ({first:.3f})"


def drifted(story: Story, month: Month) -> str:
    """The columns that drifted against the live version's profile, and the largest index."""
    if month.live is None:
        return ""
    drift, largest = month.live.drift, largest_drift(story, month.live)
    names = ", ".join(drift.drifted_columns) or drift.verdict
    return names if largest is None else f"{names} (largest PSI {largest:.2f})"


def conclusion(story: Story) -> list[str]:
    """Sentences that count and average, and judge nothing."""
    trainings = [month for month in story.months if month.trained]
    pairs = [
        (month.live, month.first)
        for month in story.months
        if month.live and month.first and month.live.metrics and month.first.metrics
    ]
    sentences = [
        f"{len(story.months) - 1} months, {story.acknowledged} predictions answered over HTTP, "
        f"{story.logged} rows of them in the prediction log.",
        f"{len(trainings)} retrainings were decided, {len(story.promotions)} promoted.",
    ]
    if pairs:
        live, first = ([pair[n] for pair in pairs] for n in (0, 1))
        sentences.append(
            f"Means over the {len(pairs)} months with labels, live version against the first: "
            f"AUC {_mean(live, 'roc_auc'):.3f} against {_mean(first, 'roc_auc'):.3f}, log loss "
            f"{_mean(live, 'log_loss'):.4f} against {_mean(first, 'log_loss'):.4f}, distance of "
            f"promised / observed from 1 {_off(live):.1%} against {_off(first):.1%}."
        )
    return sentences


def _mean(qualities: list[Quality], name: str) -> float:
    return mean(quality.metrics[name] for quality in qualities)


def _off(qualities: list[Quality]) -> float:
    return mean(abs(quality.metrics["calibration_ratio"] - 1) for quality in qualities)
