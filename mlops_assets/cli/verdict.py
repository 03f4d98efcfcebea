"""What the gate says of a trained version, as a person reads it: a line, and the model card."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.errors import StateError
from mlops_assets.records.evaluation import EvaluationFacts

AFTER_A_REFUSAL = (
    "what served before serves on; train on other data or settings, or change `evaluation.gate`"
)


@dataclass(frozen=True)
class Verdict:
    """Of one model's newest training; `passed` means that it may be deployed."""

    said: str
    passed: bool
    card: str = ""
    """Markdown; empty where nothing was evaluated."""


def verdict_of(model: str, facts: EvaluationFacts, *, complete: bool) -> Verdict:
    """What `evaluation_report` states; complete: no other step of the training failed."""
    version, card = facts.model_uri.rpartition("/")[2], facts.model_card
    if not facts.promoted:
        said = f"{model}: version {version} is refused: {facts.reasons}; {AFTER_A_REFUSAL}"
        return Verdict(said, False, card)
    failed = "" if complete else ", but another step failed"
    return Verdict(f"{model}: version {version} passed the gate{failed}", complete, card)


def append_report(file: Path, verdicts: Sequence[Verdict]) -> None:
    """Add the verdicts, then the model cards, to a Markdown file, e.g. the summary of a CI job."""
    lines = "".join(f"- {verdict.said}\n" for verdict in verdicts)
    cards = "".join(f"\n{verdict.card}" for verdict in verdicts if verdict.card)
    try:
        with file.open("a", encoding="utf-8") as report:
            report.write(f"{lines}{cards}\n")
    except OSError as err:
        raise StateError(f"cannot write {file}: {err.strerror}; choose another --report") from err
