"""How often the gate's calibration rule is wrong, and how much decay it sees: a simulation.

Truth: a row's log odds are normal; its label is drawn from them. Champion and challenger know them
with an error of their own, equally large, and the challenger's are shifted: it ranks as well as the
champion and promises too much, as a model on CDNOW does after some months. What a shift costs is
measured on 2,000,000 rows. Every cell counts refusals over fresh held-out rows, by the very
`ml.evaluation.gate.compare` that the pipeline runs.

    python -m benchmarks.calibration        # writes results/calibration.md and calibration.png
"""

import math
import time

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.page import place, publish, sized
from mlops_assets.blocks.evaluation import EvaluationSettings, GateSettings
from mlops_assets.ml.evaluation.calibration import miscalibration
from mlops_assets.ml.evaluation.gate import compare, row_losses

RUNS, POWER_RUNS, LEVEL_ROWS, KNOWN_ROWS = sized((1000, 300, 4000, 2_000_000), (20, 4, 500, 50_000))
SIZES, COSTS = sized((1000, 4000, 16000), (200, 400, 800)), (0.0, 0.005, 0.01, 0.02, 0.03, 0.05)
COLORS = ("#93c5fd", "#3b82f6", "#1e3a8a")
SPREAD, NOISE = 1.5, 0.5
SHRINK = SPREAD**2 / (SPREAD**2 + NOISE**2)
"""Without it both would be overconfident."""
DEFAULT = GateSettings()


def main() -> None:
    """Run every case and write table and picture."""
    start, rng = time.perf_counter(), np.random.default_rng(20250601)
    shifts = _shifts_of(COSTS, rng)
    level = {
        "equally calibrated, margin 0": _refused(rng, 0.0, LEVEL_ROWS, RUNS, margin=0.0),
        f"equally calibrated, margin {DEFAULT.calibration_margin:.1%}": _refused(
            rng, 0.0, LEVEL_ROWS, RUNS
        ),
        f"worse by {DEFAULT.calibration_margin:.1%}, the margin": _refused(
            rng, shifts[DEFAULT.calibration_margin], LEVEL_ROWS, RUNS
        ),
    }
    power = {
        size: [_refused(rng, shifts[cost], size, POWER_RUNS) for cost in COSTS] for size in SIZES
    }
    _draw(power)
    page = _page(level, power, shifts)
    publish("calibration", page)
    print(f"{time.perf_counter() - start:.0f} s")
    for case, share in level.items():
        if share > DEFAULT.alpha + _tolerance():
            raise SystemExit(f"{case}: {share:.1%} refused")


def _rows(rng: np.random.Generator, count: int, shift: float) -> tuple[np.ndarray, ...]:
    """Labels, and the scores of champion and challenger."""
    truth = rng.normal(0, SPREAD, count)
    actual = (rng.uniform(size=count) < _sigmoid(truth)).astype(np.int64)
    odds = [SHRINK * (truth + rng.normal(0, NOISE, count)) + by for by in (0.0, shift)]
    return actual, *(_sigmoid(values)[:, None] for values in odds)


def _refused(
    rng: np.random.Generator,
    shift: float,
    rows: int,
    runs: int,
    margin: float = DEFAULT.calibration_margin,
) -> float:
    gate = GateSettings(calibration_margin=margin)
    settings, refused = EvaluationSettings(primary="log_loss", gate=gate), 0
    for _ in range(runs):
        actual, *scores = _rows(rng, rows, shift)
        old, new = (row_losses(each, actual, "binary") for each in scores)
        before, after = (miscalibration(each, actual, "binary") for each in scores)
        found = compare(
            old, new, task="binary", settings=settings, miscalibration=(before, after)
        ).calibration
        refused += bool(found and found.worse)
    return refused / runs


def _shifts_of(costs: tuple[float, ...], rng: np.random.Generator) -> dict[float, float]:
    """Shift of the log odds that costs each fraction of the champion's loss, by bisection."""
    actual, scores, _ = _rows(rng, KNOWN_ROWS, 0.0)
    odds = np.log(scores[:, 0] / (1 - scores[:, 0]))
    loss = _mean_loss(odds, actual)
    shifts = {}
    for cost in costs:
        low, high = 0.0, 3.0 if cost else 0.0
        for _ in range(40):
            middle = (low + high) / 2
            over = _mean_loss(odds + middle, actual) > (1 + cost) * loss
            low, high = (low, middle) if over else (middle, high)
        shifts[cost] = low
    return shifts


def _mean_loss(odds: np.ndarray, actual: np.ndarray) -> float:
    return float((np.logaddexp(0, odds) - actual * odds).mean())


def _draw(power: dict[int, list[float]]) -> None:
    figure = Figure(figsize=(5.5, 3.8), dpi=100, layout="constrained")
    axes = figure.subplots()
    costs = [100 * cost for cost in COSTS]
    for color, (size, shares) in zip(COLORS, power.items(), strict=True):
        heights = [100 * share for share in shares]
        axes.plot(costs, heights, color=color, marker="o", markersize=4, label=f"{size:,} rows")
    axes.axhline(100 * DEFAULT.alpha, color="#94a3b8", linestyle="--", linewidth=1)
    axes.axvline(100 * DEFAULT.calibration_margin, color="#94a3b8", linestyle=":", linewidth=1)
    axes.set(title="The calibration rule", ylim=(0, 102), ylabel="challengers refused, %")
    axes.set(xlabel="true cost of miscalibration, % of the champion's log loss")
    axes.grid(color="#e2e8f0")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    with place("calibration.png").open("wb") as file:
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})


def _page(
    level: dict[str, float], power: dict[int, list[float]], shifts: dict[float, float]
) -> str:
    header = " | ".join(f"{cost:.1%}" for cost in COSTS)
    lines = [
        "# The calibration rule of the gate, simulated\n",
        f"`python -m benchmarks.calibration`: challengers that rank as well as the champion. "
        f"{RUNS:,} a line on {LEVEL_ROWS:,} new held-out rows each, alpha {DEFAULT.alpha}; chance "
        f"alone moves a share of {DEFAULT.alpha:.0%} by +- {_tolerance():.1%}.\n",
        "| challenger in truth | refused | promised |",
        "|---|---|---|",
        *(
            f"| {case} | {share:.1%} | at most {DEFAULT.alpha:.0%} |"
            for case, share in level.items()
        ),
        f"\nShare refused by true cost, {POWER_RUNS} challengers a cell, margin "
        f"{DEFAULT.calibration_margin:.1%}:\n",
        f"| rows | {header} |",
        "|---|" + "---|" * len(COSTS),
        "| shift of the log odds | " + " | ".join(f"{shifts[cost]:.2f}" for cost in COSTS) + " |",
        *(
            f"| {size:,} | " + " | ".join(f"{share:.0%}" for share in shares) + " |"
            for size, shares in power.items()
        ),
        "\n![Power of the calibration rule](calibration.png)\n",
    ]
    return "\n".join(lines)


def _tolerance() -> float:
    """Three binomial standard errors of a share of alpha."""
    return 3 * math.sqrt(DEFAULT.alpha * (1 - DEFAULT.alpha) / RUNS)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


if __name__ == "__main__":
    main()
