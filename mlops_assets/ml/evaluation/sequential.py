"""Whether one share is higher than another, looked at as often as one likes.

The requests of two versions come one after another, and a trial looks at them twice a second until
it knows: a test for one look at a fixed number of them would be wrong far more often than it says.
What this one says holds for all looks together, at any moments, however unequal the two are.

It is an e-process (Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic statistics and safe
anytime-valid inference", Statistical Science 2023): the likelihood of what was seen under a mixture
of shares (Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of
Mathematical Statistics 1970), by its highest likelihood under the hypothesis (Wasserman, Ramdas and
Balakrishnan, "Universal inference", PNAS 2020). Whatever shares within the hypothesis are true, it
is at most a non-negative martingale that begins at 1, which by Ville's inequality ever reaches
1 / alpha with a probability of at most alpha.
"""

from math import exp, lgamma, log
from typing import NamedTuple

_PRIORS = ((0.5, 0.5), (0.5, 50.0))
"""Of the mixture, as beta distributions: any share, and a share of some per cent."""
_HALVINGS = 40


class Share(NamedTuple):
    """So many of so many."""

    count: int
    of: int

    @property
    def rate(self) -> float:
        """0 of nothing."""
        return self.count / self.of if self.of else 0.0


def log_evidence(before: Share, now: Share, increase: float) -> float:
    """Logarithm of the evidence that `now` is more than `increase` above `before`.

    While it is not, the evidence ever reaches `1 / alpha` with a probability of at most `alpha`.
    """
    seen = _log_mixture(before) + _log_mixture(now)
    return seen - _highest_log_likelihood(before, now, increase)


def least_increase(before: Share, now: Share, alpha: float) -> float:
    """By how much `now` is above `before` at least: a bound for all looks together.

    It is ever above the true difference with a probability of at most `alpha`. Never below -1.
    """
    low, high = -1.0, now.rate - before.rate
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        shown = log_evidence(before, now, middle) >= -log(alpha)
        low, high = (middle, high) if shown else (low, middle)
    return low


def _log_mixture(share: Share) -> float:
    """Of the order in which it was seen, under the mixture of shares."""
    count, others = share.count, share.of - share.count
    logs = [_log_beta(a + count, b + others) - _log_beta(a, b) for a, b in _PRIORS]
    highest = max(logs)
    return highest + log(sum(exp(one - highest) for one in logs) / len(logs))


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _highest_log_likelihood(before: Share, now: Share, increase: float) -> float:
    """Of all shares of which the second is at most `increase` above the first."""
    if now.rate - before.rate <= increase:  # what was seen is one of them
        return _log_likelihood(before, before.rate) + _log_likelihood(now, now.rate)
    # Else the highest is where the second is just so much above the first: a concave function.
    low, high = max(0.0, -increase), min(1.0, 1.0 - increase)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rises = _slope(before, middle) + _slope(now, middle + increase) > 0
        low, high = (middle, high) if rises else (low, middle)
    return _log_likelihood(before, low) + _log_likelihood(now, min(1.0, low + increase))


def _log_likelihood(share: Share, rate: float) -> float:
    others = share.of - share.count
    return (share.count * log(rate) if share.count else 0.0) + (
        others * log(1 - rate) if others else 0.0
    )


def _slope(share: Share, rate: float) -> float:
    """How the logarithm of the likelihood changes with the rate."""
    others = share.of - share.count
    return (share.count / rate if share.count else 0.0) - (others / (1 - rate) if others else 0.0)
