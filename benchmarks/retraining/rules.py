"""Three rules that say on each day whether to train: two of the field, and ours."""

from collections.abc import Callable

from benchmarks.retraining.days import Days
from mlops_assets.blocks.monitoring import RetrainSettings
from mlops_assets.ml.backtest.ticks import PolicyRule, Rule, Tick


def naive(_: Days) -> Rule:
    """Retrain whenever the drift flag is on."""
    return lambda tick: tick.signals.drift[0].verdict == "drifted"


def two_of_five(days: Days) -> Rule:
    """Retrain when 2 of the newest 5 windows violate the metric, the newest among them."""
    seen: list[bool] = []

    def asks(tick: Tick) -> bool:
        seen.append(days.answered(tick.number, tick.served).verdict == "degraded")
        return seen[-1] and sum(seen[-5:]) >= 2

    return asks


def ours(_: Days) -> Rule:
    """The policy of this project; its pending training was started the day before."""
    return PolicyRule(RetrainSettings())


RULES: dict[str, Callable[[Days], Rule]] = {
    "naive threshold": naive,
    "mlops-stacks 2 of 5": two_of_five,
    "ours": ours,
}
