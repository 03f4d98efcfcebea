"""How often the champion gate is wrong, and how often it sees a real gain: a simulation.

Truth: a row's log odds z are normal; its label is drawn from them. A model is z with noise of its
own, so two models of equal noise are equally good, and more noise is a known amount of log loss,
integrated by quadrature. Every case counts promotions over fresh held-out rows, by the very
`ml.evaluation.gate.compare` that the pipeline runs. In the case of entities, the five rows of one
entity share truth, label and noise but for a little, as the snapshots of one customer do.

    python -m benchmarks.gate        # writes results/gate.md and results/gate.png
"""

import math
import time
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.page import place, publish, sized
from mlops_assets.blocks.evaluation import EvaluationSettings, GateSettings
from mlops_assets.ml.evaluation.gate import compare, row_losses
from mlops_assets.records.evaluation import LossDifference

RUNS, POWER_RUNS, ROWS = sized((5000, 400, 2000), (10, 3, 500))
GAINS = (0.0, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03)
SIZES = sized((1000, 4000, 16000), (200, 400, 800))
COLORS = ("#93c5fd", "#3b82f6", "#1e3a8a")
SETTINGS = EvaluationSettings(primary="log_loss", gate=GateSettings())
ALPHA, MARGIN = SETTINGS.gate.alpha, SETTINGS.gate.margin
SPREAD, NOISE = 1.5, 0.5
"""Standard deviations: of the true log odds, and of the champion's error."""
PER_ENTITY = 5


class Case(NamedTuple):
    """One line of the table: a rule, and how often it promoted."""

    what: str
    rule: str
    promoted: float
    expected: str


def main() -> None:
    """Run every case and write table and picture."""
    start, rng = time.perf_counter(), np.random.default_rng(20240501)
    cases = [*_equal(rng), *_at_the_margin(rng), *_entities(rng)]
    power = {size: [_power(rng, size, gain) for gain in GAINS] for size in SIZES}
    _draw(power)
    page = _page(cases, power)
    publish("gate", page)
    print(f"{time.perf_counter() - start:.0f} s")
    _require(cases)


def expected_loss(noise: float) -> float:
    """Log loss of a model whose log odds err by `noise`, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    truth, error = np.meshgrid(SPREAD * nodes, noise * nodes, indexing="ij")
    loss = _softplus(truth + error) - _sigmoid(truth) * (truth + error)
    return float(weights @ loss @ weights / weights.sum() ** 2)


def noise_of(relative: float) -> float:
    """The noise that makes the expected loss `relative` worse than the champion's."""
    wanted, low, high = (1 + relative) * expected_loss(NOISE), 0.0, 5.0
    if wanted < expected_loss(0.0):
        raise ValueError(f"no model is {-relative:.1%} better than noise {NOISE}")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expected_loss(middle) < wanted else (low, middle)
    return low


def _held_out(rng: np.random.Generator, rows: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses of a champion and a challenger on new rows."""
    truth = rng.normal(0, SPREAD, rows)
    actual = (rng.uniform(size=rows) < _sigmoid(truth)).astype(np.int64)
    return _losses(rng, truth, actual, NOISE), _losses(rng, truth, actual, noise)


def _losses(
    rng: np.random.Generator, truth: np.ndarray, actual: np.ndarray, noise: float
) -> np.ndarray:
    scores = _sigmoid(truth + rng.normal(0, noise, len(truth)))
    return row_losses(scores[:, None], actual, "binary")


def _compare(
    champion: np.ndarray, challenger: np.ndarray, clusters: np.ndarray | None = None
) -> LossDifference:
    return compare(
        champion, challenger, task="binary", settings=SETTINGS, clusters=clusters
    ).overall


def _below(loss: LossDifference, margin: float) -> bool:
    return loss.upper is not None and loss.upper < margin


def _equal(rng: np.random.Generator) -> list[Case]:
    """Challengers exactly as good as the champion: what a promotion under superior gets wrong."""
    found = [_compare(*_held_out(rng, ROWS, NOISE)) for _ in range(RUNS)]
    what = "equally good"
    at_most = f"at most {ALPHA:.0%}"
    return [
        Case(what, "bare `>=`", sum(f.difference <= 0 for f in found) / RUNS, "about half"),
        Case(what, "superior", sum(_below(f, 0.0) for f in found) / RUNS, at_most),
        Case(what, "non_inferior", sum(_below(f, MARGIN) for f in found) / RUNS, "grows with rows"),
    ]


def _at_the_margin(rng: np.random.Generator) -> list[Case]:
    noise = noise_of(MARGIN)
    found = [_compare(*_held_out(rng, ROWS, noise)) for _ in range(RUNS)]
    what = f"{MARGIN:.0%} worse, the margin"
    return [
        Case(what, "bare `>=`", sum(f.difference <= 0 for f in found) / RUNS, "nothing"),
        Case(
            what,
            "non_inferior",
            sum(_below(f, MARGIN) for f in found) / RUNS,
            f"at most {ALPHA:.0%}",
        ),
    ]


def _entities(rng: np.random.Generator) -> list[Case]:
    """Equally good, rows of one entity alike: clustered variances against those of single rows."""
    entities = np.repeat(np.arange(ROWS // PER_ENTITY), PER_ENTITY)
    clustered = alone = 0
    for _ in range(RUNS):
        truth = rng.normal(0, SPREAD, ROWS // PER_ENTITY)
        actual = (rng.uniform(size=len(truth)) < _sigmoid(truth)).astype(np.int64)[entities]
        shared = [truth + rng.normal(0, NOISE, len(truth)) for _ in range(2)]
        losses = [_losses(rng, odds[entities], actual, 0.1) for odds in shared]
        clustered += _below(_compare(losses[0], losses[1], entities), 0.0)
        alone += _below(_compare(losses[0], losses[1]), 0.0)
    what = f"equally good, {PER_ENTITY} rows an entity"
    return [
        Case(what, "superior, rows taken as independent", alone / RUNS, "too many"),
        Case(what, "superior, entities as clusters", clustered / RUNS, f"at most {ALPHA:.0%}"),
    ]


def _power(rng: np.random.Generator, rows: int, gain: float) -> tuple[float, float]:
    """Shares of challengers better by `gain` that superior and non_inferior promote."""
    noise = noise_of(-gain)
    found = [_compare(*_held_out(rng, rows, noise)) for _ in range(POWER_RUNS)]
    return (
        sum(_below(f, 0.0) for f in found) / POWER_RUNS,
        sum(_below(f, MARGIN) for f in found) / POWER_RUNS,
    )


def _tolerance() -> float:
    """Three binomial standard errors of a share of alpha."""
    return 3 * math.sqrt(ALPHA * (1 - ALPHA) / RUNS)


def _require(cases: list[Case]) -> None:
    """Fail if a rule breaks its promise by more than chance explains."""
    for case in cases:
        if case.expected.startswith("at most") and case.promoted > ALPHA + _tolerance():
            raise SystemExit(f"{case.what}, {case.rule}: {case.promoted:.1%} promoted")


def _draw(power: dict[int, list[tuple[float, float]]]) -> None:
    figure = Figure(figsize=(9, 3.8), dpi=100, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, rule, which in zip(panels, ("superior", "non_inferior"), (0, 1), strict=True):
        for color, (size, shares) in zip(COLORS, power.items(), strict=True):
            heights = [100 * share[which] for share in shares]
            gains = [100 * gain for gain in GAINS]
            axes.plot(gains, heights, color=color, marker="o", markersize=4, label=f"{size:,} rows")
        axes.axhline(100 * ALPHA, color="#94a3b8", linestyle="--", linewidth=1)
        axes.set(title=f"against_champion: {rule}", ylim=(0, 102))
        axes.set(xlabel="true gain, % of the champion's log loss")
        axes.grid(color="#e2e8f0")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="challengers promoted, %")
    panels[0].legend(frameon=False, loc="upper left")
    with place("gate.png").open("wb") as file:
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})


def _page(cases: list[Case], power: dict[int, list[tuple[float, float]]]) -> str:
    gains = " | ".join(f"{gain:.2%}" for gain in GAINS)
    lines = [
        "# The champion gate, simulated\n",
        f"`python -m benchmarks.gate`: {RUNS:,} challengers a line on {ROWS:,} new held-out rows "
        f"each, alpha {ALPHA}, margin {MARGIN:.0%}. Chance alone moves a share of {ALPHA:.0%} "
        f"by +- {_tolerance():.1%} (three standard errors).\n",
        "| challenger in truth | rule | promoted | promised |",
        "|---|---|---|---|",
        *(f"| {c.what} | {c.rule} | {c.promoted:.1%} | {c.expected} |" for c in cases),
        f"\nShare promoted by true gain, {POWER_RUNS} challengers a cell:\n",
        f"| rule | rows | {gains} |",
        "|---|---|" + "---|" * len(GAINS),
    ]
    for which, rule in enumerate(("superior", "non_inferior")):
        for size, shares in power.items():
            cells = " | ".join(f"{share[which]:.0%}" for share in shares)
            lines.append(f"| {rule} | {size:,} | {cells} |")
    return "\n".join([*lines, "\n![Power of the gate](gate.png)\n"])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


if __name__ == "__main__":
    main()
