"""The verbs `show` and `compare`: what is known of one version, and of two beside each other."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from pydantic import ValidationError

from mlops_assets.cli.context import (
    aligned,
    chosen_models,
    load_definitions,
    open_resources,
    say_facts,
)
from mlops_assets.cli.facts.records import ComparedValue, ComparedVersions, ShownVersion
from mlops_assets.errors import ConfigError, TrackingError
from mlops_assets.home import endpoints_root
from mlops_assets.records.evaluation import ModelCard
from mlops_assets.records.files import CARD_FILE, SERVABLE_FILE, VERSIONS_FOLDER
from mlops_assets.records.promotion import Promotion
from mlops_assets.records.serving import Servable
from resources.champion.aliases import CHAMPION, PREVIOUS
from resources.champion.ledger import PromotionLedger
from resources.endpoints.folder import read_checked

Kind = Literal["metric", "slice", "feature", "parameter", "data"]


def show(name: str, *, as_json: bool) -> int:
    """Print what is known of a version, by default of the champion."""
    definitions = load_definitions()
    with open_resources(definitions, "ledger", "datasets") as built:
        model, version = named(name, definitions, built.ledger)
        history, folder = built.ledger.history(model), Path(built.datasets.quarantine)
    card = card_of(model, version, definitions)
    put_aside = card.rejected if card.rejected and card.rejected.rejected_rows else None
    moves = [move for move in history if version in (move.to_version, move.from_version)]
    shown = ShownVersion(
        model=model,
        version=version,
        champion=bool(history) and history[-1].to_version == version,
        moves=moves,
        card=card,
        quarantine=str((folder / put_aside.quarantine).absolute()) if put_aside else None,
    )
    say_facts(shown, _said(shown), as_json=as_json)
    return 0


def compare(a: str, b: str, *, as_json: bool) -> int:
    """Print two versions beside each other: what differs, and every metric."""
    definitions = load_definitions()
    with open_resources(definitions, "ledger") as built:
        names = [named(each, definitions, built.ledger) for each in (a, b)]
    if len(models := {model for model, _ in names}) > 1:
        raise ConfigError(
            f"{a} and {b} are of two models, whose metrics are of different rows; name two "
            f"of one, e.g. {min(models)}@1 {min(models)}@champion"
        )
    cards = [card_of(model, version, definitions) for model, version in names]
    labels = [f"{model}@{version}" for model, version in names]
    found = compared(labels, cards)
    say_facts(found, _beside(found), as_json=as_json)
    return 0


def named(name: str, definitions: dg.Definitions, ledger: PromotionLedger) -> tuple[str, int]:
    """`customers`, `customers@3`, `customers@champion` or `@previous` -> model and version.

    Raises:
        ConfigError: There is no such model, or nothing of that name.
    """
    model, _, wanted = name.partition("@")
    chosen_models(definitions, [model])
    if wanted.isdecimal():
        return model, int(wanted)
    head = ledger.head(model)
    if wanted not in ("", CHAMPION, PREVIOUS):
        raise ConfigError(
            f"{name!r} names no version; write e.g. {model}@3, {model}@champion, {model}@previous"
        )
    version = None
    if head is not None:
        version = head.from_version if wanted == PREVIOUS else head.to_version
    if version is None:
        raise ConfigError(
            f"{model} has no {wanted or CHAMPION} yet; `mlops run {model}` makes one of a version "
            f"that passes the gate, or name a version: {model}@1"
        )
    return model, version


def card_of(model: str, version: int, definitions: dg.Definitions) -> ModelCard:
    """The model card of a version: kept beside the endpoint, else in the registry.

    Raises:
        ConfigError: There is no such version, or it was never evaluated.
        DeploymentError: The kept file is damaged.
    """
    folder = endpoints_root() / model / VERSIONS_FOLDER / str(version)
    with suppress(OSError, ValidationError):  # never deployed here, or by another release
        servable = Servable.model_validate_json((folder / SERVABLE_FILE).read_bytes())
        if sha256 := servable.documents.get(CARD_FILE):
            return ModelCard.model_validate_json(read_checked(folder / CARD_FILE, sha256))
    with open_resources(definitions, "tracking") as built:
        found = built.tracking.registry.version(model, version)
        text = built.tracking.run_of(found).read_text(CARD_FILE) if found else None
        known = [] if found else built.tracking.registry.versions(model)
    if found is None:
        there = f"name one of {known}" if known else f"it has none: `mlops run {model}` makes one"
        raise ConfigError(f"the registry has no {model}@{version}; {there}")
    if text is None:
        raise ConfigError(f"{model}@{version} was never evaluated; run `mlops train {model}`")
    try:
        return ModelCard.model_validate_json(text)
    except ValidationError as err:
        raise TrackingError(
            f"the {CARD_FILE} of {model}@{version} was written by another release; look at it in "
            "the MLflow UI"
        ) from err


def compared(labels: Sequence[str], cards: Sequence[ModelCard]) -> ComparedVersions:
    """Every metric, slice, feature, parameter and fact of the data of two versions."""
    a, b = cards
    same = (a.data_version, a.test_period, a.evaluation.test_rows) == (
        b.data_version,
        b.test_period,
        b.evaluation.test_rows,
    )
    return ComparedVersions(
        a=labels[0],
        b=labels[1],
        same_rows=same,
        values=[
            *_paired("metric", a.evaluation.metrics, b.evaluation.metrics),
            *_paired("slice", _slices(a), _slices(b)),
            *_paired("feature", a.features, b.features),
            *_paired(
                "parameter",
                {"estimator": a.estimator, **a.params},
                {"estimator": b.estimator, **b.params},
            ),
            *_paired("data", _data(a), _data(b)),
        ],
    )


def _paired(kind: Kind, a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[ComparedValue]:
    for name in dict.fromkeys([*a, *b]):
        one, other = a.get(name), b.get(name)
        yield ComparedValue(kind=kind, name=name, a=one, b=other, differs=one != other)


def _slices(card: ModelCard) -> dict[str, float]:
    found = card.evaluation.comparison
    return {each.name: each.loss.challenger_loss for each in found.slices} if found else {}


def _data(card: ModelCard) -> dict[str, Any]:
    return {
        "data version": card.data_version,
        "git commit": card.git_sha,
        "training rows": card.evaluation.train_rows,
        "fitted rows": card.sample.said if card.sample else "all",
        "held-out rows": card.evaluation.test_rows,
        "trained on": f"{card.train_period.first:%Y-%m-%d} to {card.train_period.last:%Y-%m-%d}",
        "measured on": f"{card.test_period.first:%Y-%m-%d} to {card.test_period.last:%Y-%m-%d}",
    }


def _beside(found: ComparedVersions) -> str:
    shown = [each for each in found.values if each.differs or each.kind == "metric"]
    rows = [("", "", found.a, found.b)]
    rows += [(each.kind, each.name, _figure(each.a), _figure(each.b)) for each in shown]
    same = len(found.values) - len(shown)
    notes = [f"{same} more features, parameters, slices and facts are the same"] if same else []
    if found.a == found.b:
        notes.append(f"both names are of {found.a}")
    if not found.same_rows:
        notes.append(
            "the metrics were measured on different held-out rows: which version is better on the "
            "same rows is what the evaluation of the newer one says (`mlops show`)"
        )
    return "\n".join([aligned(rows), *notes])


def _said(shown: ShownVersion) -> str:
    from mlops_assets.ml.evaluation.model_card import markdown  # pandas

    role = "the champion" if shown.champion else "not the champion"
    moves = [_moved(move, shown.version) for move in shown.moves] or ["never deployed"]
    if shown.quarantine:
        moves.append(f"rows that broke the contract: {shown.quarantine}")
    head = f"{shown.model}@{shown.version}: {role}\n" + "\n".join(f"  {move}" for move in moves)
    return f"{head}\n\n{markdown(shown.card, None)}".rstrip()


def _moved(move: Promotion, version: int) -> str:
    did = "became champion" if move.to_version == version else f"gave way to {move.to_version}"
    return f"{move.time:%Y-%m-%d %H:%M} UTC: {did}, by {move.who} ({move.why})"


def _figure(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
