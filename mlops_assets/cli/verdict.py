"""What the gate says of a trained version, as a person reads it: a line, and the model card."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from mlops_assets.blocks.base import Record
from mlops_assets.errors import StateError
from mlops_assets.records.data import RejectedRows
from mlops_assets.records.evaluation import EvaluationFacts

AFTER_A_REFUSAL = "it is not deployed; train on other data or settings, or change `evaluation.gate`"


class Verdict(Record):
    """What the gate says of one model's newest training."""

    model: str
    version: int | None = Field(None, description="Null: none was evaluated.")
    passed: bool = Field(description="Whether it may be deployed.")
    said: str = Field(description="The same for a person, with the reasons of a refusal.")
    rejected: RejectedRows | None = Field(None, description="Null: every row keeps the contract.")
    card: str = Field("", description="The model card, Markdown; empty: nothing was evaluated.")


def verdict_of(
    model: str,
    facts: EvaluationFacts,
    rejected: RejectedRows | None = None,
    *,
    complete: bool,
) -> Verdict:
    """What `evaluation_report` states; complete: no other step of the training failed."""
    version = int(facts.model_uri.rpartition("/")[2])
    said = f"{model}: version {version} passed the gate"
    if not facts.promoted:
        said = f"{model}: version {version} is refused: {facts.reasons}; {AFTER_A_REFUSAL}"
    elif not complete:
        said += ", but another step failed"
    return Verdict(
        model=model,
        version=version,
        passed=facts.promoted and complete,
        said=said,
        rejected=rejected,
        card=facts.model_card,
    )


def append_report(file: Path, verdicts: Sequence[Verdict]) -> None:
    """Add the verdicts, then the model cards, to a Markdown file, e.g. the summary of a CI job."""
    lines = "".join(f"- {verdict.said}\n" for verdict in verdicts)
    cards = "".join(f"\n{verdict.card}" for verdict in verdicts if verdict.card)
    try:
        with file.open("a", encoding="utf-8") as report:
            report.write(f"{lines}{cards}\n")
    except OSError as err:
        raise StateError(f"cannot write {file}: {err.strerror}; choose another --report") from err
