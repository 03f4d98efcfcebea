"""A model card as Markdown (Mitchell et al. 2019, FAT*), made of facts alone, and what changed.

Nothing is measured here. The metrics of another version were measured on the rows held out at its
own time; which of two versions is better on the same rows is what `Evaluation.comparison` says.
"""

from collections.abc import Iterable, Mapping, Sequence

from mlops_assets.config import ModelSettings
from mlops_assets.ml.columns import computed
from mlops_assets.ml.evaluation.gate import spelled
from mlops_assets.ml.file_part import Part
from mlops_assets.ml.frames import TIMESTAMP, Split
from mlops_assets.ml.markdown import table
from mlops_assets.ml.summary import spelled_period
from mlops_assets.records.data import RejectedRows
from mlops_assets.records.evaluation import Baseline, Comparison, Evaluation, ModelCard, Period
from mlops_assets.records.reproduction import EstimatorChoice, SampledRows

Row = Sequence[object]
_UNKNOWN = "not recorded"


def model_card(
    evaluation: Evaluation,
    rows: Split,
    settings: ModelSettings,
    *,
    data_version: str | None,
    git_sha: str | None,
    inference: str = "",
    choice: EstimatorChoice | None = None,
    sample: SampledRows | None = None,
    rejected: RejectedRows | None = None,
) -> ModelCard:
    """Gather the facts of an evaluated version; `rows` are those it was trained and measured on."""
    training = settings.training
    return ModelCard(
        evaluation=evaluation,
        description=settings.description,
        owners=settings.owners,
        purpose=settings.card,
        data_version=data_version,
        rejected=rejected,
        git_sha=git_sha,
        target=_target(settings),
        estimator=training.estimator,
        params={"seed": training.seed, **training.plain_params},
        inference=inference,
        choice=choice,
        sample=sample,
        external_memory=training.external_memory,
        features={name: computed(name, settings) for name in settings.features.names},
        train_period=_period(rows.train),
        test_period=_period(rows.test),
    )


def markdown(card: ModelCard, before: ModelCard | None) -> str:
    """The card, with its differences from `before`, the champion's, if there is one."""
    model, found = card.evaluation.model, card.evaluation
    parts = [
        f"# {model.name}, version {model.version}",
        card.description,
        table(("", ""), _identity(card)),
        *_purpose(card),
        "## Metrics",
        f"On {found.test_rows:,} held-out rows, {_spelled_period(card.test_period)}.",
        table(("metric", "value"), [(name, f"{v:.4g}") for name, v in found.metrics.items()]),
        *_choice(card.choice),
        *_against_prior(found.baseline),
        *_against_champion(found),
        "## Features",
        table(("feature", "computed as"), card.features.items()),
    ]
    if before is not None:
        parts += _changes(card, before)
    return "\n\n".join(part for part in parts if part) + "\n"


def differences(card: ModelCard, before: ModelCard) -> list[tuple[str, str, str]]:
    """What differs between two versions, as (what, before, now); empty: nothing of the kind."""
    pairs = [
        ("data version", before.data_version or _UNKNOWN, card.data_version or _UNKNOWN),
        ("git commit", before.git_sha or _UNKNOWN, card.git_sha or _UNKNOWN),
        ("target", before.target, card.target),
        ("estimator", before.estimator, card.estimator),
        ("training rows", before.evaluation.train_rows, card.evaluation.train_rows),
        ("fitted rows", _fitted(before), _fitted(card)),
        ("rows were", _kept_in(before), _kept_in(card)),
        *_paired("parameter", before.params, card.params),
        *_paired("feature", before.features, card.features),
        *_paired("metric", _rounded(before), _rounded(card)),
    ]
    return [(what, str(old), str(new)) for what, old, new in pairs if old != new]


def _identity(card: ModelCard) -> list[Row]:
    found = card.evaluation
    decision = "passed" if found.decision.promoted else "; ".join(found.decision.reasons)
    return [
        ("registered as", f"`{found.model.uri}`, run `{found.model.run_id}`"),
        ("answered for by", ", ".join(card.owners) or _UNKNOWN),
        ("predicts", card.target),
        ("gate", decision),
        ("data version", card.data_version or _UNKNOWN),
        ("in quarantine", _rejected(card.rejected)),
        ("git commit", card.git_sha or _UNKNOWN),
        ("estimator", card.estimator),
        ("parameters", ", ".join(f"{name}={value}" for name, value in card.params.items())),
        ("served by", card.inference or _UNKNOWN),
        ("trained on", f"{found.train_rows:,} rows, {_spelled_period(card.train_period)}"),
        *([("rows were", _kept_in(card))] if card.external_memory else []),
        *([("of these fitted", card.sample.said)] if card.sample else []),
    ]


def _fitted(card: ModelCard) -> str:
    return card.sample.said if card.sample else "all"


def _kept_in(card: ModelCard) -> str:
    return "read from their file, batch by batch" if card.external_memory else "in memory"


def _rejected(found: RejectedRows | None) -> str:
    """The rows of the data version that broke the contract, by rule."""
    if found is None:
        return _UNKNOWN
    return found.said if found.rejected_rows else f"none of {found.delivered_rows:,} rows"


def _purpose(card: ModelCard) -> list[str]:
    purpose = card.purpose
    return [
        "## Intended use",
        purpose.intended_use or "Not stated: fill `card.intended_use` in the YAML.",
        "Not for:" if purpose.out_of_scope else "",
        _list(purpose.out_of_scope),
        "## Limits",
        _list(purpose.limits) or "Not stated: fill `card.limits` in the YAML.",
    ]


def _choice(found: EstimatorChoice | None) -> list[str]:
    if found is None:
        return []
    rows = [
        (each.name, each.estimator, *map(_figure, (each.loss, each.excess, each.standard_error)))
        for each in found.candidates
    ]
    header = ("candidate", "estimator", found.loss_name, "above the best", "standard error")
    return [
        "## Choice of the estimator",
        f"Taken is the simplest that is above the best by no more than one standard error, on "
        f"{found.folds} folds of the training rows: {found.taken}.",
        table(header, rows),
    ]


def _figure(value: float | None) -> str:
    return "could not be fitted" if value is None else f"{value:.4g}"


def _against_prior(found: Baseline | None) -> list[str]:
    if found is None:
        return []
    verdict = "knows more" if found.passed else "is not shown to know more"
    return [
        "## Against the prior",
        f"No limits are set, so it is held against always giving the usual answer of the training "
        f"rows: {found.loss_name} {found.loss:.4g} against {found.prior_loss:.4g}, so it {verdict} "
        f"(p {found.p_value:.2g}).",
    ]


def _against_champion(found: Evaluation) -> list[str]:
    title = "## Against the champion"
    if found.comparison is None or found.champion is None:
        return [title, f"Not compared: {found.not_compared or 'unknown why'}."]
    comparison, loss = found.comparison, found.comparison.overall
    verdict = (
        f"`{found.champion.uri}` on the same rows: {comparison.loss_name} "
        f"{loss.challenger_loss:.4g} against {loss.champion_loss:.4g}, {spelled(loss.relative)}"
    )
    if loss.upper is not None:
        bound = "at most" if loss.upper > 0 else "at least"
        verdict += f", {bound} {spelled(loss.upper)} by the bound of the gate"
    return [title, f"{verdict}.", *_calibration(comparison), *_slices(comparison)]


def _calibration(comparison: Comparison) -> list[str]:
    if (found := comparison.calibration) is None:
        return []
    return [
        f"Miscalibration costs {found.challenger:.4g} of that, the champion {found.champion:.4g}."
    ]


def _slices(comparison: Comparison) -> list[str]:
    rows = [
        (
            part.name,
            part.loss.rows,
            f"{part.loss.champion_loss:.4g}",
            f"{part.loss.challenger_loss:.4g}",
            spelled(part.loss.relative) + (", shown to be worse" if part.worse else ""),
        )
        for part in comparison.slices
    ]
    header = ("slice", "rows", "champion", "this version", "difference")
    return [table(header, rows)] if rows else []


def _changes(card: ModelCard, before: ModelCard) -> list[str]:
    changed = differences(card, before)
    return [
        f"## Changes from version {before.evaluation.model.version}, the champion",
        "Its metrics are those of its own evaluation, on the rows held out then."
        if changed
        else "None in data, code, features, parameters or metrics.",
        table(("what", "before", "now"), changed) if changed else "",
    ]


def _target(settings: ModelSettings) -> str:
    target = settings.target
    if target.positive is None:
        return target.name
    source = settings.contract.source_names[str(settings.target_column)]
    return f"{target.name}: {source!r} is {target.positive!r}"


def _period(rows: Part) -> Period:
    times = rows[TIMESTAMP]
    return Period(first=times.min().to_pydatetime(), last=times.max().to_pydatetime())


def _spelled_period(period: Period) -> str:
    return spelled_period(period.first, period.last)


def _rounded(card: ModelCard) -> dict[str, str]:
    return {name: f"{value:.4g}" for name, value in card.evaluation.metrics.items()}


def _paired(
    kind: str, before: Mapping[str, object], now: Mapping[str, object]
) -> list[tuple[str, object, object]]:
    names = dict.fromkeys([*before, *now])
    return [(f"{kind} {name}", before.get(name, "-"), now.get(name, "-")) for name in names]


def _list(texts: Iterable[str]) -> str:
    return "\n".join(f"- {text}" for text in texts)
