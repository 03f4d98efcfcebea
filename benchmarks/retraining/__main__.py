"""When to retrain, replayed: ours beside a threshold sensor and the 2-of-5 rule of mlops-stacks.

Two years of days in eight phases; how far the world moves, how late labels come (2 to 5 days) and
when upstream breaks is drawn per stream (`world.py`). Every day's rows are scored by the live
model, and judged: PSI of each feature against the rows it was trained on, log loss against its
held-out one, and an estimate of the loss from the scores alone. A rule that asks for a training
gets one: a logistic regression on the 21 newest labelled days, promoted by one gate for all rules.

- naive: retrain on every day whose drift flag is on.
- mlops-stacks: retrain when 2 of the newest 5 windows violate the metric, the newest among them.
- ours: `mlops_assets.ml.retraining.policy.decide`, with the defaults of `monitoring.retrain`. It is
  told of each labelled window as the live version would have answered it, as `performance_report`
  does.

A retraining is wrong when the model it made is less than 2 % better, in expected log loss on the
distribution of that day, than the one that was live: the compute bought nothing. Recovery is the
number of days, from the onset of a lasting change, until the live model's expected loss is closer
to the best possible one than half of what the change had cost at its worst.

    python -m benchmarks.retraining     # writes results/retraining.md and results/retraining.png
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks.page import place, publish, sized, small
from benchmarks.retraining.picture import draw
from benchmarks.retraining.replay import Replay, costs, replay
from benchmarks.retraining.rules import RULES
from benchmarks.retraining.world import DAYS, LASTING, PHASES, Phase, Stream

TUNING_SEEDS = tuple(range(1, sized(9, 3)))
"""The policy was changed while looking at these."""
TEST_SEEDS = tuple(range(101, sized(113, 103)))
"""Replayed once the policy stood; only these are judged."""
OURS, NAIVE, STACKS = "ours", "naive threshold", "mlops-stacks 2 of 5"
NEVER = "never"

Found = dict[str, list[Replay]]
"""Rule -> one replay per stream."""


def main() -> None:
    """Replay every seed by every rule; write table and picture; require what is promised."""
    with ProcessPoolExecutor(2) as pool:
        tuning = list(pool.map(replay_seed, TUNING_SEEDS))
        test = list(pool.map(replay_seed, TEST_SEEDS))
    found, cost = _by_rule(test), [cost for _, cost in test]
    lines = [
        *_head(),
        *_table(f"{len(TEST_SEEDS)} streams of the test seeds {_span(TEST_SEEDS)}", found, cost),
        *_streams(found, cost),
        *_phases(found, cost),
        *_table(
            f"For comparison the {len(TUNING_SEEDS)} streams of the seeds {_span(TUNING_SEEDS)}, "
            "which the policy was made on",
            _by_rule(tuning),
            [cost for _, cost in tuning],
        ),
    ]
    draw(
        {name: runs[0] for name, runs in found.items()}, test[0][0][NEVER], place("retraining.png")
    )
    page = "\n".join(lines) + "\n\nThe first test stream:\n\n![replay](retraining.png)\n"
    publish("retraining", page)
    if not small():
        _require(found, cost)


def replay_seed(seed: int) -> tuple[dict[str, Replay], dict[str, float]]:
    """One stream by every rule and by none, and what its changes cost."""
    stream = Stream.of(seed)
    found = {name: replay(stream, make) for name, make in RULES.items()}
    return found | {NEVER: replay(stream, lambda _: lambda _: False)}, costs(stream)


def _require(found: Found, cost: Sequence[dict[str, float]]) -> None:
    wrong = {name: np.mean([len(run.wrong) for run in runs]) for name, runs in found.items()}
    days = {name: np.mean(_late(runs, cost)) for name, runs in found.items()}
    if wrong[OURS] >= min(wrong[NAIVE], wrong[STACKS]):
        raise SystemExit(f"not fewer wrong retrainings: {wrong}")
    if days[OURS] > days[STACKS]:
        raise SystemExit(f"recovers later: {days}")


def _by_rule(streams: Sequence[tuple[dict[str, Replay], dict[str, float]]]) -> Found:
    return {name: [replays[name] for replays, _ in streams] for name in RULES}


def _late(runs: Sequence[Replay], cost: Sequence[dict[str, float]]) -> list[int]:
    """Days unrecovered of each stream, over all lasting changes."""
    return [
        sum(run.unrecovered(one[phase.name], phase) for phase in LASTING)
        for run, one in zip(runs, cost, strict=True)
    ]


def _head() -> Iterator[str]:
    yield "# When to retrain, replayed\n"
    yield (__doc__ or "").split("\n\n", 1)[1].split("    python")[0].strip() + "\n"
    yield f"Streams of {DAYS} days. The program fails"
    yield "when, on the test seeds, ours has not fewer wrong retrainings than both or recovers"
    yield "later than the 2-of-5 rule."


def _table(title: str, found: Found, cost: Sequence[dict[str, float]]) -> Iterator[str]:
    yield f"\n{title}: mean ± standard deviation over the streams.\n"
    yield "| rule | retrainings | wrong | training CPU s | days unrecovered |"
    yield "|---|---|---|---|---|"
    for name, runs in found.items():
        cells = [
            _spread([len(run.trained) for run in runs]),
            _spread([len(run.wrong) for run in runs]),
            _spread([run.seconds for run in runs], 2),
            _spread(_late(runs, cost)),
        ]
        yield f"| {name} | {' | '.join(cells)} |"


def _streams(found: Found, cost: Sequence[dict[str, float]]) -> Iterator[str]:
    ours, stacks = (np.array(_late(found[name], cost)) for name in (OURS, STACKS))
    fewer = [len(a.wrong) < len(b.wrong) for a, b in zip(found[OURS], found[STACKS], strict=True)]
    yield "\nBeside the 2-of-5 rule, stream by stream:"
    yield (
        f"- ours recovers earlier in {(ours < stacks).sum()}, on the same day in "
        f"{(ours == stacks).sum()} and later in {(ours > stacks).sum()} of {len(ours)} "
        f"(median {np.median(ours):g} against {np.median(stacks):g} days);"
    )
    yield f"- ours has fewer wrong retrainings in {sum(fewer)}."


def _phases(found: Found, cost: Sequence[dict[str, float]]) -> Iterator[str]:
    yield "\nBy phase, means: retrainings (of them wrong); days unrecovered where a change lasts.\n"
    yield "| phase | days | " + " | ".join(found) + " |"
    yield "|---|---|" + "---|" * len(found)
    for phase in PHASES:
        cells = [_cell(runs, cost, phase) for runs in found.values()]
        yield f"| {phase.name} | {phase.first}-{phase.last} | " + " | ".join(cells) + " |"


def _cell(runs: Sequence[Replay], cost: Sequence[dict[str, float]], phase: Phase) -> str:
    trained, wrong = np.mean([run.inside(phase) for run in runs], axis=0)
    cell = f"{trained:.1f} ({wrong:.1f})"
    if not phase.lasting:
        return cell
    pairs = zip(runs, cost, strict=True)
    late = np.mean([run.unrecovered(one[phase.name], phase) for run, one in pairs])
    return f"{cell}; {late:.1f} d"


def _spread(values: Sequence[float], digits: int = 1) -> str:
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def _span(seeds: Sequence[int]) -> str:
    return f"{seeds[0]} to {seeds[-1]}"


if __name__ == "__main__":
    main()
